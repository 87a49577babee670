"""What an axis counts, and how its numbers are written (`ui.md` 7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from usage import formats

_TRAILING_ZEROS = re.compile(r"\.0+(?!\d)|(\.\d*[1-9])0+(?!\d)")
_MOST_TICKS = 5


@dataclass(frozen=True, slots=True)
class Unit:
    """`name` stands in the head of a table; `write` takes whole numbers, and so may give `<$0.0001`: escape it. `mark`
    writes round numbers at an axis, where that is another way.
    """

    name: Promise
    write: Callable[[int], str]
    mark: Callable[[int], str] | None = None

    def tick(self, value: int) -> str:
        """A round number needs no zeros after its point."""
        return _TRAILING_ZEROS.sub(r"\1", (self.mark or self.write)(value))

    def ticks(self, most: int) -> list[int]:
        """Return 0 and some round numbers, the last of them not below `most`."""
        step = next(step for step in _round_steps() if step * (_MOST_TICKS - 1) >= most)
        return [step * number for number in range(max(-(-most // step), 1) + 1)]


def _round_steps() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def _duration(milliseconds: int) -> str:
    return formats.duration(timedelta(milliseconds=milliseconds))


def _seconds(milliseconds: int) -> str:
    """Round numbers are those of seconds, and an axis has no room for minutes too."""
    return f"{milliseconds} ms" if 0 < milliseconds < 1000 else f"{milliseconds / 1000:,.1f} s"


def _percent(hundredths: int) -> str:
    return formats.percent(hundredths / 10_000)


def _rpm(millionths: int) -> str:
    """Of what comes once an hour, or a day, two digits tell more than that it is little."""
    value = millionths / 1_000_000
    if not value or value >= 0.1:
        return formats.per_minute(value)
    return f"{value:.2g}" if millionths >= 100 else "<0.0001"


def _tpm(thousandths: int) -> str:
    return formats.compact(thousandths // 1_000) if thousandths >= 10_000 else f"{thousandths / 1_000:.3f}"


TOKENS = Unit(_("Tokens"), formats.compact)
REQUESTS = Unit(_("Requests"), formats.count)
NANOUSD = Unit(_("US$"), formats.money)
MILLISECONDS = Unit(_("Duration"), _duration, _seconds)
HUNDREDTHS_OF_A_PERCENT = Unit(_("Per cent"), _percent)
TENTHS = Unit(_("tok/s"), lambda tenths: f"{tenths / 10:,.1f}")
RPM = Unit(_("RPM"), formats.count)
MILLIONTHS_OF_RPM = Unit(_("RPM"), _rpm, lambda millionths: f"{millionths / 1_000_000:,.6f}")
TPM = Unit(_("TPM"), formats.compact)
THOUSANDTHS_OF_TPM = Unit(_("TPM"), lambda thousandths: formats.compact(round(thousandths / 1_000)), _tpm)
ACTIVE = Unit(_("How many"), formats.count)
