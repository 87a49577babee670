"""How much memory a process had."""

from __future__ import annotations

import re
from pathlib import Path

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def peak_mb(pid: int | str = "self") -> int | None:
    """Return the most that process `pid` held in memory so far, in MB; None where the system does not tell.

    What getrusage tells of a child begins with the size of its parent.
    """
    status = Path(f"/proc/{pid}/status")
    found = _PEAK.search(status.read_text()) if status.exists() else None
    return int(found[1]) // 1_024 if found else None
