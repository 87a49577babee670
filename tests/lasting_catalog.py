"""The catalog of prices in a process that stays: in the tests many models are new, and each time one would begin for them.

That the application's own ends, and what happens when it cannot be asked, is told by test_catalog.
"""

from __future__ import annotations

import json
import subprocess
import sys
from threading import Lock

from usage.ingest.catalog import Catalog
from usage.ingest.catalog_answers import Asked, _answer, read


class LastingCatalog(Catalog):
    def __init__(self) -> None:
        super().__init__()
        self._process: subprocess.Popen[str] | None = None
        self._one_at_a_time = Lock()

    def _ask(self, questions: list[Asked]) -> None:
        with self._one_at_a_time:
            self._process = self._process or _begin()
            assert self._process.stdin and self._process.stdout
            print(json.dumps(questions), file=self._process.stdin, flush=True)
            answers = json.loads(self._process.stdout.readline())
        self._answers |= zip(questions, map(read, answers), strict=True)

    def end(self) -> None:
        if self._process:
            self._process.communicate()


def _begin() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", __name__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")


def _answer_each_line() -> None:
    for line in sys.stdin:
        print(json.dumps([_answer((model, provider)) for model, provider in json.loads(line)]), flush=True)


if __name__ == "__main__":
    _answer_each_line()
