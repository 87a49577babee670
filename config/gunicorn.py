"""gunicorn under `manage.py serve`: it ends when the process that started it has ended, however that came about.

Without this a `kill -9` of the command would leave the pages on the port, without a collector beside them.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any


def on_starting(server: Any) -> None:
    """gunicorn's hook in its master process, before it forks its workers."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
