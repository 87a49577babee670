"""What people ask of a ledger: each question, with the filters and over the ranges that matter.

A further question is one line of QUESTIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from channels_app.buckets import edges, micros
from channels_app.filters import read_filters
from channels_app.period import Period, read_period
from channels_app.records import DEFAULT_SORT, LIMITS, Cursor, Place, records
from channels_app.stats import (
    EVERYTHING,
    Conditions,
    Span,
    breakdown,
    channel_report,
    series,
    span_of,
    timing,
    timing_by,
    timing_series,
    totals,
)
from channels_app.stats.client_requests import calls, paths
from channels_app.stats.conditions import of_records
from channels_app.stats.peaks import peaks
from usage.models import Channel, ModelName, UsageRecord

Ask = Callable[[Period, Conditions], object]

_UTC, _KOLKATA = ZoneInfo("UTC"), ZoneInfo("Asia/Kolkata")
_RANGES = ("24h", "7d", "30d", "90d")
# A finer bucket of a longer range is refused.
_RANGES_OF = {"by hour": ("24h", "7d", "30d")}
_PAIRS = (("channel", "model"), ("channel", "key"), ("key", "model"), ("account", "status"))


def _by(*dimensions: str) -> Ask:
    return lambda period, conditions: breakdown(span_of(period), conditions, dimensions)


def _over_time(bucket: str, *dimensions: str) -> Ask:
    return lambda period, conditions: series(_edges(period, bucket), conditions, dimensions)


def _edges(period: Period, bucket: str) -> list[int]:
    return micros(edges(period, bucket))


@cache
def _deep(span: Span, conditions: Conditions) -> Cursor | None:
    """Return where page 10,000 begins; of fewer records, their middle."""
    requests = totals(span, conditions).requests
    where = " AND ".join([f"requested_at >= {span.since}", f"requested_at < {span.until}", *of_records(conditions)])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT requested_at, id FROM {UsageRecord._meta.db_table} WHERE {where} "
            "ORDER BY 1 DESC, 2 DESC LIMIT 1 OFFSET %s",
            [min(10_000 * LIMITS[0], requests // 2)],
        )
        place = cursor.fetchone()
    return Cursor(DEFAULT_SORT, Place(*place)) if place else None


QUESTIONS: dict[str, Ask] = {
    "totals": lambda period, conditions: totals(span_of(period), conditions),
    "channels page": channel_report,
    "by account": _by("account"),
    "by model": _by("model"),
    "by key": _by("key"),
    "by channel and model": _by("channel", "model"),
    "by key and model": _by("key", "model"),
    "by key and channel": _by("key", "channel"),
    "by code": _by("code"),
    "by day": _over_time("1d"),
    "by day and channel": _over_time("1d", "channel"),
    "by day and key": _over_time("1d", "key"),
    "by 6 hours": _over_time("6h"),
    "by hour": _over_time("1h"),
}


# Of no sums.
PEAKS: dict[str, Ask] = {"peaks": lambda period, conditions: peaks(span_of(period), conditions)}
# Answered nearly: times are told in bins.
ROUGH: dict[str, Ask] = {
    "latency": lambda period, conditions: timing(span_of(period), conditions),
    "latency by account": lambda period, conditions: timing_by(span_of(period), conditions, ["account"]),
    "latency by channel": lambda period, conditions: timing_by(span_of(period), conditions, ["channel"]),
    "latency by day": lambda period, conditions: timing_series(_edges(period, "1d"), conditions),
}
# Of which the sums know only a part.
CLIENT_REQUESTS: dict[str, Ask] = {
    "client requests": lambda period, conditions: calls(span_of(period), conditions),
    "paths by channel": lambda period, conditions: paths(span_of(period), conditions, "channel"),
}
RECORDS: dict[str, Ask] = {
    "records": lambda period, conditions: records(span_of(period), conditions),
    "records, page 10,000": lambda period, conditions: records(
        span_of(period), conditions, cursor=_deep(span_of(period), conditions)
    ),
}
# As a browser asks, with all that a page has; those of one entity are of the busiest.
PAGES = {
    "GET /": "/",
    "GET /channels/": "/channels/",
    "GET /models/": "/models/",
    "GET /keys/": "/keys/",
    "GET /errors/": "/errors/",
    "GET /explore/": "/explore/",
    "GET /records/": "/records/",
    "GET /channels/…/": "/channels/{channel}/",
    "GET /accounts/…/": "/accounts/{account}/",
    "GET /models/…/": "/models/{model}/",
    "GET /keys/…/": "/keys/{key}/",
    "GET /api/channels/": "/api/channels/",
    "GET /api/usage/": "/api/usage/?by=account",
    "GET /api/rates/": "/api/rates/",
    "GET /api/records/": "/api/records/",
}
_ANSWERS = QUESTIONS | PEAKS | ROUGH | CLIENT_REQUESTS | RECORDS


class Case(NamedTuple):
    """A question with the parameters of an address, asked at the moment `now` in a time zone."""

    question: str
    parameters: dict[str, str]
    now: datetime
    zone: ZoneInfo = _UTC

    @property
    def asked(self) -> str:
        zone = {} if self.zone is _UTC else {"tz": self.zone.key}
        return urlencode(self.parameters | zone, safe="/")

    @property
    def is_of_sums(self) -> bool:
        """Whether records alone could answer it too."""
        return self.question in QUESTIONS or self.question in ROUGH

    @property
    def is_exact(self) -> bool:
        return self.question not in ROUGH

    def ask(self) -> object:
        """As a page would: what the address says is found in the database first."""
        if self.question in PAGES:
            return _get(PAGES[self.question].format(**_busiest(self.now)), self.parameters)
        period = read_period(self.parameters, self.zone, self.now)
        return _ANSWERS[self.question](period, read_filters(self.parameters).conditions)


def _get(path: str, parameters: dict[str, str]) -> bytes:
    answer = _browser().get(f"{path}{'&' if '?' in path else '?'}{urlencode(parameters)}")
    if answer.status_code != 200:
        raise RuntimeError(f"{path} with {parameters} was answered by {answer.status_code}")
    return bytes(answer.content)


@cache
def _browser() -> Client:
    """Somebody who is signed in."""
    user, _is_new = get_user_model().objects.get_or_create(username="benchmark")
    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def cases(now: datetime, only: str = "") -> Iterator[Case]:
    """Each question over all ranges; with each filter over 30 days; with pairs over 90. And once in a zone whose days begin
    in the middle of an hour, where sums alone do not do.

    Of these, all that have `only` in their name and what is asked.
    """
    return (case for case in _all(now) if only in f"{case.question} {case.asked}")


def _all(now: datetime) -> Iterator[Case]:
    filters = _popular(now)
    parameters = [{"range": name} for name in _RANGES]
    parameters += [{"range": "30d"} | one for one in filters.values()]
    parameters += [{"range": "90d"} | filters[one] | filters[other] for one, other in _PAIRS]
    for name in (*_ANSWERS, *PAGES):
        yield from (Case(name, asked, now) for asked in parameters if asked["range"] in _RANGES_OF.get(name, _RANGES))
    yield from (Case(name, {"range": "30d"}, now, _KOLKATA) for name in QUESTIONS)


def _popular(now: datetime) -> dict[str, dict[str, str]]:
    """A filter of each kind, by its name, for what most records have: that is the most work."""
    busiest = _busiest(now)
    return {
        "channel": {"channel": str(busiest["channel"])},
        "account": {"account": str(busiest["account"])},
        "model": {"model": ModelName.objects.get(pk=busiest["model"]).name},
        "key": {"key": str(busiest["key"])},
        "status": {"status": "fail"},
        "success": {"status": "ok"},
        "code": {"code": "429"},
    }


@cache
def _busiest(now: datetime) -> dict[str, int | str]:
    """Return what the addresses of the channel, account, model and key that have most requests end in."""
    found = {name: _most_used(name, now) for name in ("account", "model", "key")}
    return found | {"channel": Channel.objects.get(pk=_most_used("channel", now)).slug}


def _most_used(dimension: str, now: datetime) -> int:
    """Return the id of the channel, account, model or key that has most requests."""
    groups = breakdown(span_of(read_period({"range": "90d"}, _UTC, now)), EVERYTHING, [dimension])
    return max((usage.requests, one) for (one,), usage in groups.items() if one)[1]
