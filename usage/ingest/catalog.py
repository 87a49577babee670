"""Asks genai-prices what models cost, in a process that ends: the 40 MB that it takes are no resident collector's."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from usage.ingest import catalog_answers
from usage.ingest.catalog_answers import Answer, Asked, read

logger = logging.getLogger(__name__)

_COMMAND = [sys.executable, "-m", catalog_answers.__name__]
_FOLDER = Path(__file__).resolve().parents[2]
_TIMEOUT_SECONDS = 60.0  # it takes 0.3 s
_AGAIN_SECONDS = 600.0
_MOST_ANSWERS = 10_000


class Catalog:
    """Each question is asked once in the life of this process; what it has no price for is not asked again."""

    def __init__(self) -> None:
        self._answers: dict[Asked, Answer | None] = {}
        self._failed_at: float | None = None

    @property
    def is_away(self) -> bool:
        """Whether it could not be asked when it was tried last."""
        return self._failed_at is not None

    def look_up(self, questions: Iterable[Asked]) -> dict[Asked, Answer]:
        """Return what those of `questions` cost that the catalog knows.

        While it cannot be asked, which is tried every ten minutes, it knows nothing new: no record waits for a price.
        """
        questions = set(questions)
        new = questions - self._answers.keys()
        if new and (self._failed_at is None or time.monotonic() - self._failed_at >= _AGAIN_SECONDS):
            self._ask(sorted(new))
        return {asked: answer for asked in questions if (answer := self._answers.get(asked))}

    def _ask(self, questions: list[Asked]) -> None:
        if len(self._answers) > _MOST_ANSWERS:
            self._answers.clear()
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter and module
                _COMMAND, input=json.dumps(questions), cwd=_FOLDER, timeout=_TIMEOUT_SECONDS, capture_output=True,
                check=True, encoding="utf-8",
            )  # fmt: skip
            self._answers |= zip(questions, map(read, json.loads(done.stdout)), strict=True)
            self._failed_at = None
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            if self._failed_at is None:
                logger.warning("genai-prices cannot be asked, so models that are new stay unpriced: %s", error)
            self._failed_at = time.monotonic()
