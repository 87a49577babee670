"""Any question, with any filter, over any edges, has the answer that the records themselves give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_app.filters import read_filters
from channels_app.stats import Conditions, Span, breakdown, series, tables, totals
from channels_app.stats.questions import DIMENSIONS, narrowed
from channels_app.stats.tables import cut
from tests.factories import (
    CLIENT_KEY,
    NOON,
    auth_file,
    auth_files,
    book,
    examples,
    list_names,
    payload,
    sums_of,
    undone,
    zones,
)
from usage.ingest import grains, rollup
from usage.ingest.grains import DAILY, HOURLY, SUMS
from usage.ingest.placing import displaced
from usage.models import Account, ApiKey, Channel, Instance, ModelName, Source, UsageRecord
from usage.models.fields import to_micros
from usage.models.record import NO_KEY

HOUR = timedelta(hours=1)
MODELS = ("one-FAKE", "two-FAKE", "three-FAKE")
KEYS = (CLIENT_KEY, "sk-FAKE-other-0123456789", "")
CODES = (429, 500, 503, None)
FIELDS = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "total_tokens")
with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(10))


@pytest.fixture(params=zones("UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/New_York"))
def report_zone(request: pytest.FixtureRequest, settings: Any) -> str:
    """Where the days of the sums are cut."""
    settings.TIME_ZONE = request.param
    return settings.TIME_ZONE


@pytest.fixture
def ledger(report_zone: str, instance: Instance) -> list[UsageRecord]:
    """Of five days."""
    return fill(instance, hours=60)


@pytest.fixture
def long_ledger(report_zone: str, instance: Instance) -> list[UsageRecord]:
    """Of five weeks."""
    return fill(instance, hours=60 * 7)


def fill(instance: Instance, hours: int) -> list[UsageRecord]:
    """Two hundred records at and beside the full hours around noon; two of five accounts are not known."""
    list_names(
        instance,
        auth_files=auth_files(
            auth_file("dave.json", "codex", email="dave@example.com", auth_index="dave"),
            auth_file("carol.json", "codex", email="carol@example.com", auth_index="carol"),
            auth_file("bob.json", "claude", email="bob@example.com", auth_index="bob"),
        ),
    )
    random = Random(3)
    beside = [timedelta(0), timedelta(microseconds=-1), timedelta(minutes=30), timedelta(minutes=15, seconds=1)]
    book(instance, *(
        payload(
            NOON + random.randrange(-hours, hours) * HOUR + random.choice(beside), request_id=str(number),
            model=random.choice(MODELS), api_key=random.choice(KEYS),
            failed=(failed := random.random() < 0.3), fail={"status_code": random.choice(CODES) if failed else 200},
            auth_index=random.choice(["dave", "carol", "bob", "lost", "gone"]),
            latency_ms=random.choice([0, 90, 1_000, 60_000]), ttft_ms=random.choice([0, 50, 950]),
            tokens={name: random.randrange(1_000) for name in random.sample(FIELDS, random.randrange(6))},
        )
        for number in range(200)
    ))  # fmt: skip
    return list(UsageRecord.objects.select_related("source__account"))


# How each dimension and parameter reads in a record.
OF_RECORD: dict[str, Callable[[UsageRecord], int | None]] = {
    "server": lambda row: row.source.instance_id,
    "channel": lambda row: row.source.known_channel.pk if row.source.known_channel else None,
    "account": lambda row: row.source.account_id,
    "source": lambda row: row.source_id,
    "model": lambda row: row.model_id,
    "key": lambda row: row.api_key_id or NO_KEY,
    "code": lambda row: row.status_code or 0,
}


def words_of(name: str) -> dict[str, int | None]:
    """What may be asked of a parameter, and the value in a record that it means."""
    return {
        "server": lambda: dict(Instance.objects.values_list("slug", "pk")),
        "channel": lambda: dict(Channel.objects.values_list("slug", "pk")) | {"unknown": None},
        "account": lambda: {str(pk): pk for pk in Account.objects.values_list("pk", flat=True)},
        "model": lambda: dict(ModelName.objects.values_list("name", "pk")),
        "key": lambda: {str(pk): pk for pk in (*ApiKey.objects.values_list("pk", flat=True), NO_KEY)},
    }[name]()


def fulfils(row: UsageRecord, asked: dict[str, list[str]], meant: dict[str, set[int | None]]) -> bool:
    """Whether `row` is asked for; `meant` has the values that the words of `asked` mean, but of status and code."""
    for name, values in asked.items():
        if name == "status":
            if len(values) == 1 and row.failed != (values == ["fail"]):
                return False
        elif name == "code":
            code = str(row.status_code or "")
            if not row.failed or not any(code == one or (code and one == f"{code[0]}xx") for one in values):
                return False
        elif OF_RECORD[name](row) not in meant[name]:
            return False
    return True


def ask(asked: dict[str, list[str]]) -> Conditions:
    query = QueryDict(mutable=True)
    for name, values in asked.items():
        query.setlist(name, values)
    filters = read_filters(query)
    assert filters.warnings == ()
    return filters.conditions


@st.composite
def questions(draw: Any) -> dict[str, list[str]]:
    asked = {}
    for name in draw(
        st.sets(st.sampled_from(["server", "channel", "account", "model", "key", "status", "code"]), max_size=3)
    ):
        words = {"status": ["ok", "fail"], "code": ["429", "500", "5xx", "4xx"]}.get(name) or list(words_of(name))
        asked[name] = draw(st.lists(st.sampled_from(sorted(words)), min_size=1, max_size=2, unique=True))
    return asked


moments = st.builds(
    lambda hours, rest: to_micros(NOON + hours * HOUR) + rest,
    st.integers(-62, 62),
    st.sampled_from([-1, 0, 0, 0, 1, grains.QUARTER_HOUR, 2 * grains.QUARTER_HOUR]) | st.integers(0, 3_600_000_000),
)


def inside(rows: Iterable[UsageRecord], since: int, until: int, asked: dict[str, list[str]]) -> list[UsageRecord]:
    meant = {
        name: {words_of(name)[value] for value in values}
        for name, values in asked.items()
        if name not in ("status", "code")
    }
    return [row for row in rows if since <= to_micros(row.requested_at) < until and fulfils(row, asked, meant)]


@with_database
@given(st.data())
def test_totals_and_breakdowns_are_those_of_the_records(ledger: list[UsageRecord], data: st.DataObject) -> None:
    since, until = sorted((data.draw(moments), data.draw(moments)))
    asked = data.draw(questions())
    by = data.draw(st.lists(st.sampled_from(sorted(OF_RECORD)), min_size=1, max_size=2, unique=True))
    compare(ledger, since, until, asked, by)


@with_database
@given(
    st.tuples(st.integers(-450, 450), st.integers(-450, 450)).map(sorted),
    st.sampled_from(
        [{}, {"status": ["ok"]}, {"status": ["fail"]}, {"model": [MODELS[0]]}, {"status": ["ok"], "key": ["0"]}]
    ),
    st.permutations(["channel", "account", "model", "code"]),
)
def test_weeks_are_those_of_the_records_too(
    long_ledger: list[UsageRecord], hours: list[int], asked: dict[str, list[str]], by: list[str]
) -> None:
    since, until = (to_micros(NOON + number * HOUR) for number in hours)
    compare(long_ledger, since, until, asked, by[:2])


def test_a_month_of_accounts_and_models_is_read_by_weeks() -> None:
    month = Span(to_micros(NOON), to_micros(NOON + 30 * 24 * HOUR))
    found = tables._grains(Conditions(), ("source_id", "model_id"))
    widths = [grain.width for grain, _piece in cut(month, found) if grain]
    assert widths.count(grains.WEEK) == 1
    assert grains.WEEK not in [grain.width for grain in tables._grains(Conditions(), ("model_id",))]


def compare(ledger: list[UsageRecord], since: int, until: int, asked: dict[str, list[str]], by: Sequence[str]) -> None:
    conditions, found = ask(asked), inside(ledger, since, until, asked)
    assert asdict(totals(Span(since, until), conditions)) == (sums_of(found) or dict.fromkeys(SUMS, 0))
    groups: dict[tuple[int | None, ...], list[UsageRecord]] = {}
    for row in found:
        if row.failed or "code" not in by:
            groups.setdefault(tuple(OF_RECORD[name](row) for name in by), []).append(row)
    answers = breakdown(Span(since, until), conditions, by)
    assert {group: asdict(usage) for group, usage in answers.items()} == {
        group: sums_of(rows) for group, rows in groups.items()
    }
    dimensions, asked_sums = [DIMENSIONS[name] for name in by], ("requests", "total_tokens")
    rows = tables.aggregate(Span(since, until), narrowed(conditions, by), dimensions, asked_sums)
    assert {row[:-2]: row[-1] for row in rows} == {group: usage.total_tokens for group, usage in answers.items()}


@settings(with_database, max_examples=examples(5))
@given(st.data())
def test_channels_are_those_of_the_records_while_names_change(
    ledger: list[UsageRecord], instance: Instance, data: st.DataObject
) -> None:
    """Accounts change their channels, sources get one, further records come, and the sums follow now and then."""
    with undone():
        for number in range(data.draw(st.integers(1, 4))):
            channel = Channel.objects.get(pk=data.draw(st.sampled_from(sorted(channels_of_names()))))
            match data.draw(st.sampled_from(["account", "source", "follow", "book"])):
                case "account":
                    Account.objects.filter(auth_index=data.draw(st.sampled_from(["dave", "bob"]))).update(
                        channel=channel
                    )
                case "source":
                    Source.objects.filter(auth_index=data.draw(st.sampled_from(["lost", "gone"]))).update(
                        channel=channel
                    )
                case "follow":
                    rollup.follow_names()
                case "book":
                    name = data.draw(st.sampled_from(["bob", "lost", "new"]))
                    book(instance, payload(NOON, request_id=f"further {number}", auth_index=name))
            since, until = sorted((data.draw(moments), data.draw(moments)))
            by = data.draw(st.sampled_from([["channel"], ["channel", "key"], ["key", "channel"], ["channel", "model"]]))
            compare(all_records(), since, until, data.draw(questions()), by)
        rollup.follow_names()
        assert displaced("default") == []
        assert grains.DAILY_BY_CHANNEL in tables._grains(
            Conditions(), tables._asked_of_tables(Conditions(), ["channel_id"])
        )
        compare(all_records(), *(to_micros(NOON + hours * HOUR) for hours in (-70, 70)), {}, ["channel", "key"])
        assert rollup.differences() == []


def channels_of_names() -> set[int]:
    return set(Channel.objects.values_list("pk", flat=True))


def all_records() -> list[UsageRecord]:
    return list(UsageRecord.objects.select_related("source__account__channel", "source__channel"))


@pytest.mark.parametrize(("zone", "parts"), [("UTC", 1), ("Asia/Tokyo", 1), ("Asia/Kolkata", 181)])
def test_the_days_of_a_quarter_are_few_queries(settings: Any, zone: str, parts: int) -> None:
    """SQLite takes 500 parts of a query. In Kolkata each day has an end that is read from the records."""
    settings.TIME_ZONE = "UTC"
    first = datetime(2026, 3, 1, tzinfo=ZoneInfo(zone))
    spans = [Span(*map(to_micros, (first + day * 24 * HOUR, first + (day + 1) * 24 * HOUR))) for day in range(90)]
    pieces = [(number, *piece) for number, span in enumerate(spans) for piece in cut(span, (DAILY, HOURLY))]
    runs = list(tables.runs(pieces))
    assert len(runs) <= parts
    assert sum((run.span.until - run.span.since) // run.length for run in runs) == len(pieces)


@with_database
@given(st.data())
def test_a_series_is_exact_whatever_its_edges(ledger: list[UsageRecord], data: st.DataObject) -> None:
    edges = sorted(data.draw(st.lists(moments, min_size=2, max_size=8, unique=True)))
    asked, by = data.draw(questions()), data.draw(st.sampled_from([(), ("channel",), ("model",), ("key",)]))
    groups = series(edges, ask(asked), by).groups
    for number, (since, until) in enumerate(pairwise(edges)):
        for group, line in groups.items():
            rows = [
                row
                for row in inside(ledger, since, until, asked)
                if tuple(OF_RECORD[name](row) for name in by) == group
            ]
            assert dict(zip(SUMS, line[number], strict=True)) == (sums_of(rows) or dict.fromkeys(SUMS, 0))
    everything = inside(ledger, edges[0], edges[-1], asked)
    assert sum(interval[0] for line in groups.values() for interval in line) == len(everything)


@pytest.mark.parametrize("zone", zones("Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"))
@pytest.mark.parametrize("step", [1, 7, 30])
def test_days_weeks_and_months_of_any_zone_are_exact(
    report_zone: str, instance: Instance, zone: str, step: int
) -> None:
    """Over the night in which New York's clocks go back."""
    first = datetime(2026, 10, 2, tzinfo=ZoneInfo(zone))
    edges = [to_micros(first + timedelta(days=day)) for day in range(0, 61, step)]
    random = Random(zone)
    near = [edge + random.choice([-1, 0, 1, -1_800_000_000, 900_000_000]) for edge in edges for _ in range(3)]
    book(
        instance,
        *(
            payload(NOON + timedelta(microseconds=at - to_micros(NOON)), request_id=str(number))
            for number, at in enumerate(near)
        ),
    )
    moments_booked = [to_micros(row.requested_at) for row in UsageRecord.objects.all()]
    counts = [sum(since <= at < until for at in moments_booked) for since, until in pairwise(edges)]
    groups = series(edges, Conditions(), sums=["requests"]).groups
    assert [interval[0] for interval in groups[()]] == counts


def test_a_long_span_is_cut_into_few_pieces() -> None:
    """The days of India begin in the middle of an hour of UTC."""
    start = datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Kolkata"))
    whole = Span(to_micros(start), to_micros(start + timedelta(days=300)))
    pieces = list(cut(whole, (DAILY, HOURLY)))
    assert [grain for grain, _piece in pieces] == [None, HOURLY, DAILY, HOURLY, None]
    assert [piece.since for _grain, piece in pieces] == [whole.since, *(piece.until for _grain, piece in pieces[:-1])]
    assert pieces[-1][1].until == whole.until


@pytest.mark.django_db
def test_what_is_not_there_is_ignored_and_said(instance: Instance) -> None:
    query = QueryDict(
        "channel=nowhere&account=7&account=x&model=none&key=99999999999999999999&status=maybe&code=999&code=6xx"
    )
    filters = read_filters(query)
    assert filters.conditions == Conditions()
    assert len(filters.warnings) == 8
    assert filters.parameters == ()


@pytest.mark.django_db
def test_of_two_statuses_the_one_that_is_none_is_said() -> None:
    filters = read_filters(QueryDict("status=ok&status=maybe"))
    assert (filters.status, len(filters.warnings)) == ("ok", 1)
    assert read_filters(QueryDict("status=ok&status=fail")).conditions == Conditions()
