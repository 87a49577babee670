"""`make demo`: the application beside a fake CPA with lively traffic, in a data folder that ends with it."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile

_KEY = f"mgmt-FAKE-{secrets.token_hex(8)}"
_FAKE_CPA = [
    sys.executable, "-m", "tests.fake_cpa", "--port", "0", "--key", _KEY,
    "--traffic", "2/s", "--history", "20000", "--days", "30",
]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT")
    bind = parser.parse_args().bind
    fake = subprocess.Popen(_FAKE_CPA, stdout=subprocess.PIPE, text=True)
    try:
        with tempfile.TemporaryDirectory(prefix="cpa-meter-demo-") as folder:
            return _serve(bind, _environment(folder, _address(fake)))
    finally:
        fake.terminate()
        fake.wait()


def _address(fake: subprocess.Popen[str]) -> str:
    """Wait for the line by which the fake says that it listens; its last word is its address."""
    assert fake.stdout
    line = fake.stdout.readline()
    if not line:
        raise SystemExit("the fake CPA did not start; its error is above")
    return line.split()[-1]


def _environment(folder: str, cpa: str) -> dict[str, str]:
    return os.environ | {
        "DATA_DIR": folder,
        "DATABASE_URL": f"sqlite:///{folder}/demo.sqlite3",
        "CPA_BASE_URL": cpa,
        "CPA_MANAGEMENT_KEY": _KEY,
        "CPA_NAME": "Demo CPA",
        "DJANGO_SUPERUSER_USERNAME": "demo",
        "DJANGO_SUPERUSER_PASSWORD": "demo",
        "DJANGO_SUPERUSER_EMAIL": "",
    }


def _serve(bind: str, environment: dict[str, str]) -> int:
    for command in (["migrate", "-v0"], ["createsuperuser", "--noinput", "-v0"]):
        subprocess.run([sys.executable, "manage.py", *command], env=environment, check=True)
    print("\nSign in as demo with the password demo.", flush=True)
    application = subprocess.Popen([sys.executable, "manage.py", "serve", "--bind", bind], env=environment)
    # A Ctrl-C reaches the application by itself; we stay to clean up behind it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: application.terminate())
    return application.wait()


if __name__ == "__main__":
    sys.exit(main())
