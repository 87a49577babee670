"""Questions go to the read replica, and to the main database where that cannot be reached."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.migrated import make_file

_BOOK = """
from tests.factories import NOON, book, payload
from usage.models import Instance
instance = Instance(name="one", base_url="http://localhost:1")
instance.management_key = "FAKE-key"
instance.save()
book(instance, *(payload(NOON, request_id=str(number), latency_ms=100) for number in range({count})))
"""
_ASK = """
from channels_app.stats import EVERYTHING, Span, timing, totals
span = Span(0, 10**16)
print(totals(span, EVERYTHING).requests, timing(span, EVERYTHING).latency.samples)
"""


def test_questions_are_asked_of_the_replica_while_it_is_there(tmp_path: Path) -> None:
    main, replica = (make_file(tmp_path / f"{name}.sqlite3") for name in ("main", "replica"))
    _run(tmp_path, _BOOK.format(count=5), DATABASE_URL=main)
    _run(tmp_path, _BOOK.format(count=3), DATABASE_URL=replica)
    assert _run(tmp_path, _ASK, DATABASE_URL=main, DATABASE_REPLICA_URL="") == "5 5\n"
    assert _run(tmp_path, _ASK, DATABASE_URL=main, DATABASE_REPLICA_URL=replica) == "3 3\n"
    away = "postgres://nobody:FAKE@127.0.0.1:1/nothing"
    assert _run(tmp_path, _ASK, DATABASE_URL=main, DATABASE_REPLICA_URL=away) == "5 5\n"


def _run(data_dir: Path, program: str, **environment: str) -> str:
    program = "import django; django.setup()\n" + program
    environment |= {"DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "FAKE" not in done.stderr
    return done.stdout
