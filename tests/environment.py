"""The environment of every test, set before Django reads its settings (a pytest plugin: see pyproject.toml).

Nothing of a developer's own installation reaches a test, or is touched by one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_SHARED = "CPA_METER_TESTS_SHARED"
_DATA_DIR = tempfile.mkdtemp(prefix="cpa-meter-tests-")
Path(_DATA_DIR, "static").mkdir()  # whitenoise warns where collectstatic has not run

# That of the process that started the others of this run; what they share lies there.
SHARED_DIR = Path(os.environ.setdefault(_SHARED, _DATA_DIR))
os.environ |= {
    "DATA_DIR": _DATA_DIR,
    "DATABASE_URL": os.environ.get("DATABASE_URL", f"sqlite:///{_DATA_DIR}/tests.sqlite3"),
    "SECRET_KEY": "FAKE-secret-key-of-the-tests-000000000000000000000",
    "CPA_BASE_URL": "",
    "CPA_MANAGEMENT_KEY": "",
    "TIME_ZONE": "",
    "CURRENCY": "",
    "HTTPS": "false",
    "DEBUG": "false",
    "DJANGO_ALLOW_ASYNC_UNSAFE": "1",  # the browser driver runs an event loop beside live_server
}


def pytest_unconfigure() -> None:
    shutil.rmtree(_DATA_DIR, ignore_errors=True)
