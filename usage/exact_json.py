"""JSON whose numbers are never floats."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn


def loads(text: str) -> Any:
    """Return what `text` says, numbers with a point as Decimal. Raises ValueError for what is no JSON, NaN among it."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (InvalidOperation, RecursionError) as error:
        raise ValueError(type(error).__name__) from None


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
