"""The installation's secret key, made on the first run and kept in the data folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def load_or_create_secret_key(data_dir: Path) -> str:
    """Return the key in `data_dir/secret_key`; the first process to come makes it, readable by its owner only.

    It is linked into place under its final name: of two processes that start together one wins and both read that
    key, and no reader ever sees half a file.
    """
    path = data_dir / "secret_key"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        draft = data_dir / f".secret_key.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # the other process was first: its key counts
        finally:
            draft.unlink()
    return path.read_text().strip()
