"""Percentiles of any selection, over any edges, are those of the records: exactly where they are few, else nearly."""

from __future__ import annotations

import math
import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count, pairwise
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_app.filters import read_filters
from channels_app.stats import percentiles
from channels_app.stats.conditions import EVERYTHING, Conditions, Span
from channels_app.stats.percentiles import Spread, timing, timing_by, timing_series
from tests.factories import NOON, auth_file, auth_files, before_next, book, examples, list_names, payload, zones
from usage.ingest import compaction, distribution
from usage.ingest.compaction import compact
from usage.ingest.distribution import MIDDLES, bin_of, decode, encode
from usage.ingest.pruning import prune
from usage.models import Account, DistributionState, Instance, UsageDistribution, UsageRecord
from usage.models.fields import to_micros

HOUR = timedelta(hours=1)
MODELS = ("one-FAKE", "two-FAKE", "three-FAKE")
SHARES = (1, 50, 90, 95, 99, 100)
WRONG_BY = 0.05  # ui.md 6
with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(12))


@given(st.integers(1, 2**31 - 1))
def test_the_middle_of_a_bin_is_near_all_that_is_in_it(milliseconds: int) -> None:
    if milliseconds < 13 * 3_600_000:
        # Middles are whole milliseconds, which is more than 5 % of very short times.
        assert abs(MIDDLES[bin_of(milliseconds)] - milliseconds) <= max(1, WRONG_BY * milliseconds)
    assert 0 <= bin_of(milliseconds) <= 255


def test_no_two_bins_have_the_same_middle() -> None:
    bins = {bin_of(milliseconds) for milliseconds in range(1, 200_000)}
    assert len({MIDDLES[number] for number in bins}) == len(bins)


@given(st.lists(st.binary(max_size=2_000), max_size=4), st.integers(0, 3))
def test_distributions_add_up_by_being_joined(many: list[bytes], copies: int) -> None:
    many = many + [bytes([7]) * 1_000] * copies
    assert decode([b"".join(map(encode, many))]) == decode(map(encode, many)) == Counter(b"".join(many))


@given(st.lists(st.integers(1, 10**6), min_size=1), st.integers(1, 100))
def test_the_percentile_is_the_one_of_the_nearest_rank(times: list[int], share: int) -> None:
    expected = sorted(times)[math.ceil(len(times) * share / 100) - 1]
    assert Spread(times).percentile(share) == Spread(counts=Counter(times)).percentile(share) == expected


@pytest.fixture(params=zones("America/New_York", "Asia/Kathmandu"))
def report_zone(request: pytest.FixtureRequest, settings: Any) -> str:
    settings.TIME_ZONE = request.param
    return settings.TIME_ZONE


@pytest.fixture
def ledger(report_zone: str, instance: Instance) -> Instance:
    logins = ("dave", "carol", "bob")
    files = [auth_file(f"{name}.json", "codex", email=f"{name}@example.com", auth_index=name) for name in logins]
    files += [auth_file("eve.json", "claude", email="eve@example.com", auth_index="eve")]
    list_names(instance, auth_files=auth_files(*files))
    book(instance, *some(Random(5), 250))
    return instance


def some(random: Random, count: int) -> list[Any]:
    """Records of three weeks, most at the full hour or beside it; some failed, some generate nothing."""
    beside = [timedelta(0), timedelta(microseconds=-1), timedelta(minutes=random.randrange(60))]
    return [
        payload(
            NOON + random.randrange(-240, 240) * HOUR + random.choice(beside), request_id=str(random.random()),
            **random.choice([_served_by_one, _served_by_several])(random),
            api_key=random.choice(["sk-FAKE-one-0123456789", ""]), failed=random.random() < 0.2,
            generate=random.random() < 0.9, latency_ms=(latency := random.choice([0, None, *_times(random)])),
            ttft_ms=random.choice([None, 0, (latency or 1) + 1, (latency or 2) // 2]),
        )
        for _number in range(count)
    ]  # fmt: skip


def _served_by_one(random: Random) -> dict[str, str]:
    return {"model": "four-FAKE", "auth_index": "eve"}


def _served_by_several(random: Random) -> dict[str, str]:
    return {"model": random.choice(MODELS), "auth_index": random.choice(["dave", "carol", "bob", "lost"])}


def _times(random: Random) -> list[int]:
    return [random.randrange(1, 50), *(int(random.lognormvariate(8, 2)) + 1 for _number in range(6))]


def nearest(times: list[int], share: int) -> int | None:
    return sorted(times)[math.ceil(len(times) * share / 100) - 1] if times else None


def times_of(records: list[UsageRecord]) -> tuple[list[int], list[int]]:
    """By the words of ui.md M22 and M23."""
    counted = [one for one in records if not one.failed and one.generate and one.latency_ms]
    ttfts = [one.ttft_ms for one in counted if one.ttft_ms and one.ttft_ms <= (one.latency_ms or 0)]
    return [one.latency_ms or 0 for one in counted], ttfts


def check(found: Any, records: list[UsageRecord]) -> None:
    for spread, times in zip((found.latency, found.ttft), times_of(records), strict=True):
        assert spread.samples == len(times)
        for share in SHARES if times else ():
            true = nearest(times, share)
            assert true is not None
            assert abs(spread.percentile(share) - true) <= (WRONG_BY * true if spread.is_rough else 0), share


def within(first: int, end: int, conditions: Conditions = EVERYTHING) -> list[UsageRecord]:
    records = UsageRecord.objects.filter(requested_at__gte=_moment(first), requested_at__lt=_moment(end))
    for name, ids in conditions.ids.items():
        values = [one or None for one in ids]
        records = records.filter(**{f"{name}__in": values}) if None not in values else records.filter(**{name: None})
    return list(records.select_related("source__account"))


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(0, tz=NOON.tzinfo) + timedelta(microseconds=micros)


edges = st.lists(
    st.integers(-250 * 4, 250 * 4).map(lambda quarters: to_micros(NOON + quarters * timedelta(minutes=15))),
    min_size=2, max_size=5, unique=True,
).map(sorted)  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("most_exact", [0, 50_000])
@pytest.mark.parametrize("folded", ["nothing", "half", "all"])
@with_database
@given(
    edges=edges,
    query=st.sampled_from(["", "model=one-FAKE", "key=0", "channel=codex&key=0", "channel=claude", "status=ok"]),
)
def test_percentiles_are_those_of_the_records(
    ledger: Instance, folded: str, most_exact: int, edges: list[int], query: str
) -> None:
    conditions = read_filters(QueryDict(query)).conditions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(percentiles, "MOST_EXACT", most_exact)
        _fold(folded, patch)
        span = Span(edges[0], edges[-1])
        check(timing(span, conditions), within(*edges[:: len(edges) - 1], conditions))
        by_account = timing_by(span, conditions, ["account", "model"])
        by_account_alone = timing_by(span, conditions, ["account"])
        by_channel = timing_by(span, conditions, ["channel"])
        lines = timing_series(edges, conditions, ["key"])
    records = within(span.since, span.until, conditions)
    accounts = [*Account.objects.all(), None]
    models = {one.model_id for one in records}
    for account in accounts:
        mine = [one for one in records if one.source.account == account]
        if times_of(mine)[0]:
            check(by_account_alone[(account.pk if account else None,)], mine)
        for model in models:
            mine = [one for one in records if one.source.account == account and one.model_id == model]
            if times_of(mine)[0]:
                check(by_account[(account.pk if account else None, model)], mine)
    for channel in {one.source.known_channel_id for one in records}:
        mine = [one for one in records if one.source.known_channel_id == channel]
        if times_of(mine)[0]:
            check(by_channel[(channel,)], mine)
    for found in (by_account, by_channel):
        assert sum(one.latency.samples for one in found.values()) == len(times_of(records)[0])
    for place, ends in enumerate(pairwise(edges)):
        of_key = Counter(one.api_key_id or 0 for one in within(*ends, conditions) if times_of([one])[0])
        assert {
            key: line[place].latency.samples for (key,), line in lines.items() if line[place].latency.samples
        } == of_key


def _fold(folded: str, patch: pytest.MonkeyPatch) -> None:
    """Leave the records, half of them or none to be read one by one."""
    if folded == "half" and not UsageDistribution.objects.exists():
        newest = UsageRecord.objects.latest("pk").pk
        patch.setattr(distribution, "_STEP", 60)
        assert distribution._fold_step(1) == 60 < newest
    if folded == "all":
        distribution.fold(1)
        compact(to_micros(NOON))


@pytest.mark.django_db
def test_what_failed_has_no_times(ledger: Instance) -> None:
    failed = read_filters(QueryDict("status=fail")).conditions
    assert timing(Span(0, to_micros(NOON + 300 * HOUR)), failed).latency.samples == 0


@pytest.mark.django_db
def test_nothing_has_no_percentile() -> None:
    found = timing(Span(0, 10**15), EVERYTHING)
    assert (found.latency.samples, found.latency.percentile(95)) == (0, None)


@pytest.mark.django_db
def test_of_all_time_no_list_of_hours_is_made() -> None:
    """There are half a million since 1970; with one, each page of all time would take seconds."""
    tracemalloc.start()
    try:
        timing(Span(0, to_micros(NOON)), EVERYTHING)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000  # bytes


@pytest.mark.django_db
def test_folding_again_adds_nothing_and_waits_until_it_is_worth_it(ledger: Instance) -> None:
    assert distribution.fold(1_000) == 0
    assert distribution.fold(1) > 0
    assert distribution.fold(1) == 0
    assert distribution.differences() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite tells how many steps it takes")
def test_what_is_to_be_folded_is_found_without_reading_it(instance: Instance) -> None:
    book(instance, *some(Random(3), 20))
    of_few = _steps(lambda: distribution.fold(1_000))
    book(instance, *some(Random(4), 600))
    assert _steps(lambda: distribution.fold(1_000)) < of_few * 1.5


def _steps(work: Callable[[], object]) -> int:
    """Return how many steps of its machine SQLite takes for that, in tens."""
    steps = count()
    connection.ensure_connection()
    connection.connection.set_progress_handler(lambda: next(steps) * 0, 10)
    try:
        work()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return next(steps)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(8))
@given(seed=st.integers(0, 10**6), steps=st.lists(st.sampled_from(["book", "fold", "compact", "rebuild"]), max_size=7))
def test_distributions_equal_the_records_whatever_happens(ledger: Instance, seed: int, steps: list[str]) -> None:
    random = Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distribution, "_STEP", 40)
        for step in steps:
            if step == "book":
                book(ledger, *some(random, 30))
            elif step == "fold":
                distribution.fold(1)
            elif step == "compact":
                compact(to_micros(NOON + random.randrange(-300, 300) * HOUR))
            elif step == "rebuild":
                distribution.rebuild()
            assert distribution.differences() == []


@pytest.mark.django_db
def test_what_is_over_becomes_as_short_as_if_it_had_come_at_once(ledger: Instance) -> None:
    distribution.fold(1)
    compact(to_micros(NOON + 400 * HOUR))
    at_once = stored()
    UsageDistribution.objects.all().delete()
    DistributionState.objects.all().delete()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distribution, "_STEP", 20)
        distribution.fold(1)
    assert compact(to_micros(NOON + 400 * HOUR)) > 0
    assert stored() == at_once
    assert compact(to_micros(NOON + 400 * HOUR)) == 0


def stored() -> dict[tuple[Any, ...], list[Any]]:
    """Return what each row tells, and in how many bytes."""
    return {
        row.pk: [(len(some), decode([some])) for some in (row.latency, row.ttft)]
        for row in UsageDistribution.objects.all()
    }


@pytest.mark.django_db
def test_what_is_added_while_it_becomes_shorter_is_kept(ledger: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "_STEP", 20)
    distribution.fold(1)
    book(ledger, *some(Random(9), 60))
    before_next(compaction, "_write", lambda: distribution.fold(1), monkeypatch)
    compact(to_micros(NOON + 400 * HOUR))
    assert distribution.differences() == []


@pytest.mark.django_db
def test_a_distribution_that_is_wrong_is_found(ledger: Instance) -> None:
    distribution.fold(1)
    UsageDistribution.objects.filter(kind=0).first().delete()  # type: ignore[union-attr]
    row = UsageDistribution.objects.filter(kind=4).first()
    assert row
    UsageDistribution.objects.filter(pk=row.pk).update(latency=bytes(row.latency) + b"\x01\x09")
    assert {kind for kind, _key in distribution.differences()} == {0, 4}
    distribution.rebuild()
    assert distribution.differences() == []


@pytest.mark.django_db
def test_days_that_begin_at_another_time_are_made_anew(ledger: Instance, settings: Any) -> None:
    distribution.fold(1)
    settings.TIME_ZONE = "Asia/Kolkata"
    distribution.fold(1)
    assert distribution.differences() == []


@pytest.mark.django_db
def test_percentiles_of_pruned_days_stay(ledger: Instance) -> None:
    everything = Span(to_micros(NOON - 300 * HOUR), to_micros(NOON + 300 * HOUR))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(percentiles, "MOST_EXACT", 0)
        before = timing(everything, EVERYTHING)
        assert prune(NOON) > 0
        after = timing(everything, EVERYTHING)
    assert after.latency.samples == before.latency.samples
    assert [after.ttft.percentile(share) for share in SHARES] == [before.ttft.percentile(share) for share in SHARES]
    assert distribution.differences() == []
