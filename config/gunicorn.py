"""gunicorn under `manage.py serve`.

It ends when the process that started it has ended, however that came about: without this a `kill -9` of the command would
leave the pages on the port, without a collector beside them.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from typing import Any


def on_starting(server: Any) -> None:
    """gunicorn's hook in its master process, before it forks its workers."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def post_worker_init(_worker: Any) -> None:
    """gunicorn's hook in a worker that has loaded the application.

    An answer of thousands of rows makes as many objects, and none of them is garbage before it is given: to look for some
    meanwhile, also among all that is there for good, takes as long as the answer.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
