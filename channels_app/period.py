"""The time span of a question: named ranges, or from/to, in the report time zone (`ui.md` 4.1 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

RANGES = {
    "1h": gettext_lazy("Last hour"),
    "6h": gettext_lazy("Last 6 hours"),
    "24h": gettext_lazy("Last 24 hours"),
    "today": gettext_lazy("Today"),
    "yesterday": gettext_lazy("Yesterday"),
    "7d": gettext_lazy("Last 7 days"),
    "30d": gettext_lazy("Last 30 days"),
    "90d": gettext_lazy("Last 90 days"),
    "mtd": gettext_lazy("This month"),
    "lastmonth": gettext_lazy("Last month"),
    "all": gettext_lazy("All time"),
}
DEFAULT_RANGE = "7d"
# These move on with the clock, and end with the hour that has begun.
ROLLING = ("1h", "6h", "24h")
MAX_DAYS = 36_500
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# What every zone can write.
_FIRST, _LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)


class PeriodError(ValueError):
    """A range that cannot be read; its text says which value, the rule, and what to write instead. `name`: its parameter."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span `[since, until)` of aware datetimes; `name` is a key of RANGES, or empty for from/to.

    Ranges that end now end with the present day, or hour: a record whose server's clock runs ahead of ours is counted,
    and the rollups can answer alone.
    """

    since: datetime
    until: datetime
    zone: ZoneInfo
    asked_at: datetime
    name: str = ""

    @property
    def last_moment(self) -> datetime:
        """The end as people write it: the last moment inside, or now."""
        return min(self.until - timedelta(microseconds=1), self.asked_at).astimezone(self.zone)

    @property
    def is_running(self) -> bool:
        """Whether now lies in it, so that its figures still grow."""
        return self.until >= self.asked_at

    @property
    def has_start(self) -> bool:
        """All time starts nowhere."""
        return self.since.timestamp() != 0


def read_period(query: Mapping[str, str], zone: ZoneInfo, now: datetime) -> Period:
    """Return the period that `query` asks for by `from`/`to`, `days` or `range`; without any, the default range.

    Dates are days of `zone` with both ends included; date-times are half-open and, without an offset, of `zone`.
    Raises PeriodError.
    """
    query = {name: value for name, value in query.items() if value}  # a form sends empty fields too
    if "from" in query or "to" in query:
        return _read_from_to(query, zone, now)
    if "days" in query:
        return _last_days(_read_days(query["days"]), zone, now)
    name = query.get("range", DEFAULT_RANGE)
    if name not in RANGES:
        known = ", ".join(RANGES)
        raise PeriodError("range", _("range=%(value)s is none of %(known)s") % {"value": name, "known": known})
    return _named(name, zone, now)


def _named(name: str, zone: ZoneInfo, now: datetime) -> Period:
    today = now.astimezone(zone).date()
    month = today.replace(day=1)
    midnight, tomorrow = _midnight(today, zone), _midnight(today + _DAY, zone)
    next_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + _HOUR
    spans = {
        "1h": (now - _HOUR, next_hour),
        "6h": (now - 6 * _HOUR, next_hour),
        "24h": (now - 24 * _HOUR, next_hour),
        "today": (midnight, tomorrow),
        "yesterday": (_midnight(today - _DAY, zone), midnight),
        "mtd": (_midnight(month, zone), tomorrow),
        "lastmonth": (_midnight((month - _DAY).replace(day=1), zone), _midnight(month, zone)),
        "all": (datetime.fromtimestamp(0, zone), datetime(2100, 1, 1, tzinfo=zone)),  # no record is of a later time
    }
    if name not in spans:
        return _last_days(int(name.removesuffix("d")), zone, now)
    return Period(*spans[name], zone, now, name)


def _last_days(days: int, zone: ZoneInfo, now: datetime) -> Period:
    """Today and the `days - 1` days before it, from midnight."""
    today = now.astimezone(zone).date()
    name = f"{days}d" if f"{days}d" in RANGES else ""
    return Period(_midnight(today - (days - 1) * _DAY, zone), _midnight(today + _DAY, zone), zone, now, name)


def _read_days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= MAX_DAYS:
        raise PeriodError(
            "days", _("days=%(value)s is not a whole number from 1 to %(most)s") % {"value": text, "most": MAX_DAYS}
        )
    return int(text)


def _read_from_to(query: Mapping[str, str], zone: ZoneInfo, now: datetime) -> Period:
    since, until = query.get("from"), query.get("to")
    start = _read_moment("from", since, zone) if since else datetime.fromtimestamp(0, zone)
    end = _read_moment("to", until, zone, day_end=True) if until else now
    if end.astimezone(UTC) <= start.astimezone(UTC):  # of one zone, Python would compare what the clock shows
        raise PeriodError("to", _("End is before start"))
    return Period(start, end, zone, now)


def _read_moment(name: str, text: str, zone: ZoneInfo, *, day_end: bool = False) -> datetime:
    try:
        if len(text) == len("2026-11-23"):
            day = date.fromisoformat(text)
            moment = _midnight(day + _DAY if day_end else day, zone)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        if not _FIRST <= moment.astimezone(UTC) <= _LAST:
            raise ValueError
        return moment
    except (ValueError, OverflowError):
        raise PeriodError(
            name,
            _("%(name)s=%(value)s is neither a date such as 2026-11-23 nor a time such as 2026-11-23T18:00")
            % {"name": name, "value": text},
        ) from None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone)
