"""The period before one and the one after it, as their addresses say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from channels_app.period import Period

_DAY = timedelta(days=1)


def exact(period: Period) -> tuple[str, str]:
    """Return `from` and `to` of just this period: days where it has whole ones, else times."""
    return written(period.since.astimezone(period.zone), period.until.astimezone(period.zone))


def shifted(period: Period, steps: int) -> tuple[str, str]:
    """Return `from` and `to` of the period that is `steps` (1, -1) of its lengths later: of months, the month."""
    since, until = period.since.astimezone(period.zone), period.until.astimezone(period.zone)
    if not (_is_midnight(since) and _is_midnight(until)):
        length = until.astimezone(UTC) - since.astimezone(UTC)
        moved = [(moment.astimezone(UTC) + steps * length).astimezone(period.zone) for moment in (since, until)]
        return written(*moved)
    if period.name in ("mtd", "lastmonth") or (since.day == until.day == 1 and until - since <= 31 * _DAY):
        return _month(since, steps)
    days = steps * (until.date() - since.date())
    return (since.date() + days).isoformat(), (until.date() + days - _DAY).isoformat()


def _month(since: datetime, steps: int) -> tuple[str, str]:
    """Return the first and the last day of a month: 15 days before or 45 after the first is always within the next one."""
    first = (since.date() + (45 if steps > 0 else -15) * _DAY).replace(day=1)
    return first.isoformat(), ((first + 31 * _DAY).replace(day=1) - _DAY).isoformat()


def written(since: datetime, until: datetime) -> tuple[str, str]:
    if _is_midnight(since) and _is_midnight(until):
        return since.date().isoformat(), (until.date() - _DAY).isoformat()
    return _moment(since), _moment(until)


def _moment(moment: datetime) -> str:
    """Of a day's second 02:30, too, there is one: without seconds and offset, as people write it, where that is enough."""
    plain = moment.replace(tzinfo=None).isoformat(
        timespec="minutes" if not moment.second + moment.microsecond else "auto"
    )
    is_sure = moment.replace(fold=0).utcoffset() == moment.utcoffset()
    return plain if is_sure else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _is_midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)
