"""How numbers, money, ratios and times are written (`ui.md` 7), for the pages, the admin and the commands.

Plain functions of plain values; what does not exist (None) is the template tags' business. Of the request they know its language
and the currency of the site, and which units of large numbers its reader prefers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta, tzinfo
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from config.currency import Currency

MINUS = "\u2212"
NO_DATA = "\u2014"
NANO = 1_000_000_000

_currency: ContextVar[Callable[[], Currency]] = ContextVar("currency", default=lambda: settings.CURRENCY)


class CompactUnits(NamedTuple):
    """Of a number below `most` all digits are shown; each size is `most` times the one before, and has a word."""

    most: int
    sizes: tuple[tuple[int, str], ...]


THOUSANDS = CompactUnits(1_000, ((10**3, "K"), (10**6, "M"), (10**9, "B"), (10**12, "T")))
MYRIADS = CompactUnits(10_000, ((10**4, "万"), (10**8, "亿"), (10**12, "万亿")))

_units: ContextVar[Callable[[], CompactUnits]] = ContextVar("units", default=lambda: THOUSANDS)
_LARGEST_GROUPED_COUNT = 9_999_999
_SMALLEST_MONEY = NANO // 10_000


def currency() -> Currency:
    """Return the currency of the page that is being drawn; outside of pages that of the environment."""
    return _currency.get()()


@contextmanager
def currency_decided_by(decide: Callable[[], Currency]) -> Iterator[None]:
    """Have `decide` asked for the currency while the block lasts, for each sum of money."""
    token = _currency.set(decide)
    try:
        yield
    finally:
        _currency.reset(token)


@contextmanager
def units_decided_by(decide: Callable[[], CompactUnits]) -> Iterator[None]:
    """Have `decide` asked for the units of compact numbers while the block lasts, for each of them."""
    token = _units.set(decide)
    try:
        yield
    finally:
        _units.reset(token)


def grouped(value: int) -> str:
    """Return the exact integer in groups of three."""
    return f"{MINUS if value < 0 else ''}{abs(value):,}"


def count(value: int) -> str:
    return grouped(value) if abs(value) <= _LARGEST_GROUPED_COUNT else compact(value)


def compact(value: int) -> str:
    """Return `value` with three significant digits and a unit, rounded half up: 1.23K, 12.3K, 123K, 1.00M; four before
    the next unit where units are myriads: 1.23万, 1,235万.
    """
    if value < 0:
        return MINUS + compact(-value)
    most, sizes = _units.get()()
    if value < most:
        return grouped(value)
    # 999.5 of one unit is 1.00 of the next: "1000K" never appears.
    size, letter = next((unit for unit in sizes if 2 * value < (2 * most - 1) * unit[0]), sizes[-1])
    for decimals in (2, 1):
        digits = _rounded(value * 10**decimals, size)
        if digits < 1000:
            whole, fraction = divmod(digits, 10**decimals)
            return f"{whole}.{fraction:0{decimals}d}{letter}"
    return f"{_rounded(value, size):,}{letter}"


def money(nanousd: int) -> str:
    """Return nano-USD as people read money, in the currency of the pages: cents, four decimals below 1, compact from
    100,000 on.
    """
    shown = currency()
    nano = int((abs(nanousd) * shown.per_usd).to_integral_value(ROUND_HALF_UP))
    if nanousd and nano < _SMALLEST_MONEY:
        return f">{MINUS}{shown.symbol}0.0001" if nanousd < 0 else f"<{shown.symbol}0.0001"
    return f"{MINUS if nanousd < 0 else ''}{shown.symbol}{_amount(nano)}"


def _amount(nano: int) -> str:
    ten_thousandths = _rounded(nano, _SMALLEST_MONEY)
    if 0 < ten_thousandths < 10_000:
        return f"0.{ten_thousandths:04d}"
    cents = _rounded(nano, NANO // 100)
    return f"{cents // 100:,}.{cents % 100:02d}" if cents < 10_000_000 else compact(_rounded(nano, NANO))


def exact_money(nanousd: int) -> str:
    """Return all decimals that are there, at least two, in USD, and by which rate pages show another currency."""
    whole, fraction = divmod(abs(nanousd), NANO)
    decimals = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    usd = f"{MINUS if nanousd < 0 else ''}${whole:,}.{decimals}"
    shown = currency()
    return f"{usd} · {rate(shown)}" if shown.rate_date else usd


def rate(currency: Currency) -> str:
    """Return by which rate, and of which day, USD are shown in `currency`."""
    words = {"code": currency.code, "rate": f"{currency.per_usd:f}", "day": currency.rate_date}
    return _("%(rate)s %(code)s per USD (%(day)s)") % words


def percent(ratio: float) -> str:
    """Return a ratio in percent; only what is exactly whole says 100%, and only nothing says 0%."""
    # By way of its shortest text: as a binary fraction, 0.999 lies below 99.9 % and would be floored to 99.89 %.
    value = Decimal(repr(ratio)) * 100
    if value == value.to_integral_value() and value in (0, 100):
        return f"{value:.0f}%"
    if 0 < value < Decimal("0.1"):
        return "<0.1%"
    if 99 <= value < 100:
        return f"{value.quantize(Decimal('0.01'), ROUND_FLOOR)}%"
    return f"{value.quantize(Decimal('0.1'), ROUND_HALF_UP)}%".replace("-", MINUS)


def per_minute(value: float) -> str:
    if 0 < value < 0.1:
        return "<0.1"
    return count(round(value)) if value >= 10 else f"{value:.1f}"


def duration(span: timedelta) -> str:
    milliseconds = max(span // timedelta(milliseconds=1), 0)
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 9_995:
        return f"{milliseconds / 1000:.2f} s"
    if milliseconds < 59_950:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(_rounded(milliseconds, 1000), 60)
    if minutes < 60:
        return _("%(minutes)s m %(seconds)s s") % {"minutes": minutes, "seconds": f"{seconds:02d}"}
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return _("%(hours)s h %(minutes)s m") % {"hours": hours, "minutes": f"{minutes:02d}"}
    days, hours = divmod(hours, 24)
    return _("%(days)s d %(hours)s h") % {"days": days, "hours": hours}


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago `moment` was; what lies ahead (clocks differ) was just now."""
    seconds = max(int((now - moment).total_seconds()), 0)
    if seconds < 60:
        return _("%(number)s s ago") % {"number": seconds}
    if seconds < 3600:
        return _("%(number)s m ago") % {"number": seconds // 60}
    if seconds < 86_400:
        return _("%(number)s h ago") % {"number": seconds // 3600}
    return _("%(number)s d ago") % {"number": seconds // 86_400}


def minute(moment: datetime, zone: tzinfo, now: datetime) -> str:
    """Return `11-23 18:12` in `zone`, with the year where it is not the current one."""
    local = moment.astimezone(zone)
    same_year = local.year == now.astimezone(zone).year
    return local.strftime("%m-%d %H:%M" if same_year else "%Y-%m-%d %H:%M")


def utc_offset(moment: datetime) -> str:
    """Return `UTC`, `UTC+8` or `UTC-3:30`: what the zone of `moment` is then."""
    offset = moment.utcoffset() or timedelta()
    minutes = abs(offset) // timedelta(minutes=1)
    if not minutes:
        return "UTC"
    sign = "+" if offset > timedelta() else MINUS
    return f"UTC{sign}{minutes // 60}" + (f":{minutes % 60:02d}" if minutes % 60 else "")


def _rounded(value: int, unit: int) -> int:
    """Return how many `unit` go into a non-negative `value`, half up, in integers."""
    return (2 * value + unit) // (2 * unit)
