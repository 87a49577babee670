"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass

from usage.models import CollectorEvent

Level = CollectorEvent.Level
OK, INFO, WARN, FAIL = Level.OK, Level.INFO, Level.WARN, Level.FAIL


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """In the present language; `mend` says what to do and is empty where all is well, `instance` names a server."""

    level: Level
    check: str
    text: str
    mend: str = ""
    instance: str = ""

    def as_dict(self) -> dict[str, str]:
        return {
            "level": self.level.value,
            "check": self.check,
            "instance": self.instance,
            "text": self.text,
            "mend": self.mend,
        }
