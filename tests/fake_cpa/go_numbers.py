"""Numbers as Go's standard library reads them."""

from __future__ import annotations

import re

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_MAX_INT = 2**63 - 1


def atoi(text: str) -> int | None:
    """`strconv.Atoi`; None where it gives an error."""
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if -_MAX_INT - 1 <= number <= _MAX_INT else None
