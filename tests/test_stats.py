"""Every answer is the sum of the records in its span, to the microsecond, and its parts add up to its whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels_app.period import Period, read_period
from channels_app.serializers import ChannelReportSerializer, CostSerializer
from channels_app.stats import SORT_KEYS, UNKNOWN, ChannelReport, Usage, channel_report
from channels_app.stats.confidence import Confidence
from tests.factories import NOON, auth_file, auth_files, book, examples, list_names, payload, sums_of, zones
from usage.ingest.grains import SUMS
from usage.ingest.sources import heal
from usage.models import Instance, ModelPrice, UsageRecord

HOUR = timedelta(hours=1)
PRICED, UNPRICED = "priced-FAKE", "unpriced-FAKE"
FIELDS = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "total_tokens")
with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))


def span(since: datetime, until: datetime, zone: str = "UTC") -> Period:
    return Period(since, until, ZoneInfo(zone), NOON)


ALL = span(NOON - timedelta(days=9), NOON + timedelta(days=9))


@pytest.fixture
def names(instance: Instance) -> Instance:
    """Two accounts of one channel, one of another; what has another index is unknown."""
    list_names(
        instance,
        auth_files=auth_files(
            auth_file("dave.json", "codex", email="dave@example.com", auth_index="dave"),
            auth_file("carol.json", "codex", email="carol@example.com", auth_index="carol"),
            auth_file("bob.json", "claude", email="bob@example.com", auth_index="bob"),
        ),
    )
    ModelPrice.objects.create(pattern=PRICED, input=Decimal("1.234567"), output=Decimal("9.876543"))
    return instance


@pytest.fixture
def ledger(names: Instance) -> list[UsageRecord]:
    """A hundred records at and beside the full hours of three days, and all of them read back."""
    random = Random(5)
    edges = [
        timedelta(0),
        timedelta(microseconds=-1),
        timedelta(microseconds=1),
        timedelta(minutes=30),
        timedelta(minutes=17),
    ]
    book(names, *(
        payload(
            NOON + random.randrange(-36, 36) * HOUR + random.choice(edges), request_id=str(number),
            model=random.choice([PRICED, UNPRICED]), failed=random.random() < 0.2,
            auth_index=random.choice(["dave", "carol", "bob", "lost", "gone"]),
            tokens={name: random.randrange(1000) for name in FIELDS},
        )
        for number in range(100)
    ))  # fmt: skip
    return list(UsageRecord.objects.select_related("source__channel", "source__account__channel", "model"))


def by_hand(rows: Iterable[UsageRecord]) -> dict[tuple[str, str, str], dict[str, int]]:
    """The sums by channel, account and model, of the records themselves."""
    groups: dict[tuple[str, str, str], list[UsageRecord]] = {}
    for row in rows:
        channel = row.source.known_channel
        account = f"account-{row.source.account.pk}" if row.source.account else f"source-{row.source.pk}"
        groups.setdefault((channel.slug if channel else UNKNOWN, account, row.model.name), []).append(row)
    return {key: sums_of(group) for key, group in groups.items()}


def by_report(report: ChannelReport) -> dict[tuple[str, str, str], dict[str, int]]:
    return {
        (channel.slug, account.key, model.name): asdict(model.usage)
        for channel in report.channels
        for account in channel.accounts
        for model in account.models
    }


def total(usages: Iterable[Usage]) -> Usage:
    whole = Usage()
    for usage in usages:
        whole.add(usage)
    return whole


def assert_adds_up(report: ChannelReport) -> None:
    assert total(channel.usage for channel in report.channels) == report.usage
    for channel in report.channels:
        assert total(account.usage for account in channel.accounts) == channel.usage
        assert total(model.usage for model in channel.models) == channel.usage
        for account in channel.accounts:
            assert total(model.usage for model in account.models) == account.usage


moments = st.builds(
    lambda hours, rest: NOON + hours * HOUR + timedelta(microseconds=rest),
    st.integers(-37, 37),
    st.sampled_from([-1, 0, 1, 2]) | st.integers(0, 3_600_000_000),
)


class TestExact:
    @with_database
    @example(since=NOON, until=NOON + HOUR)
    @example(since=NOON, until=NOON + timedelta(microseconds=1))
    @example(since=NOON - timedelta(microseconds=1), until=NOON + HOUR)
    @example(since=NOON + timedelta(microseconds=1), until=NOON + HOUR - timedelta(microseconds=1))
    @given(since=moments, until=moments)
    def test_any_span_gives_the_sum_of_the_records_inside(
        self, ledger: list[UsageRecord], since: datetime, until: datetime
    ) -> None:
        since, until = min(since, until), max(since, until) + timedelta(microseconds=1)
        report = channel_report(span(since, until))
        inside = [row for row in ledger if since <= row.requested_at < until]
        assert by_report(report) == by_hand(inside)
        assert asdict(report.usage) == (sums_of(inside) or dict.fromkeys(SUMS, 0))
        assert_adds_up(report)

    @with_database
    @given(st.lists(moments, min_size=2, max_size=6, unique=True).map(sorted))
    def test_span_cut_anywhere_is_the_sum_of_its_pieces(self, ledger: list[UsageRecord], cuts: list[datetime]) -> None:
        whole = channel_report(span(cuts[0], cuts[-1])).usage
        pieces = (channel_report(span(since, until)).usage for since, until in pairwise(cuts))
        assert total(pieces) == whole

    @pytest.mark.parametrize("zone", zones("Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York"))
    @pytest.mark.parametrize("name", ["today", "yesterday", "7d", "24h", "1h", "mtd"])
    def test_days_of_any_zone_are_exact(self, ledger: list[UsageRecord], zone: str, name: str) -> None:
        period = read_period({"range": name}, ZoneInfo(zone), NOON + timedelta(hours=7, minutes=11))
        inside = [row for row in ledger if period.since <= row.requested_at < period.until]
        assert by_report(channel_report(period)) == by_hand(inside)

    def test_day_on_which_the_clock_goes_back_counts_the_repeated_hour_twice(self, names: Instance) -> None:
        first = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)  # midnight in New York; the day has 25 hours
        book(names, *(payload(first + number * HOUR) for number in range(-1, 26)))
        for day, requests in (("2026-11-01", 25), ("2026-10-31", 1), ("2026-11-02", 1)):
            period = read_period({"from": day, "to": day}, ZoneInfo("America/New_York"), NOON)
            assert channel_report(period).usage.requests == requests

    def test_one_aggregation_however_much_there_is(
        self, ledger: list[UsageRecord], django_assert_max_num_queries: Any
    ) -> None:
        with django_assert_max_num_queries(8):  # prune line, sums; names: servers, channels, accounts, sources, models
            assert channel_report(span(NOON - timedelta(hours=30, minutes=1), NOON + timedelta(minutes=7))).channels

    def test_what_is_named_later_is_shown_by_its_name(self, instance: Instance) -> None:
        book(instance, payload(auth_index="dave"))
        (before,) = channel_report(ALL).channels
        assert before.is_unknown
        list_names(instance, auth_files=auth_files(auth_file("dave.json", "codex", auth_index="dave")))
        heal(instance)
        (after,) = channel_report(ALL).channels
        assert (after.name, after.accounts[0].name, after.usage) == ("codex", "dave.json", before.usage)


class TestNothing:
    def test_span_without_records_has_no_channels_and_no_rates(self, ledger: list[UsageRecord]) -> None:
        report = channel_report(span(NOON + timedelta(days=30), NOON + timedelta(days=31)))
        assert report.channels == []
        usage = report.usage
        assert (usage.requests, usage.total_tokens) == (0, 0)
        assert (usage.success_rate, usage.cache_hit_rate, usage.price_coverage) == (None, None, None)

    def test_requests_without_tokens_have_no_hit_rate_and_no_coverage(self, names: Instance) -> None:
        book(names, payload(failed=True, tokens={}, model=UNPRICED))
        usage = channel_report(ALL).usage
        assert (usage.success_rate, usage.cache_hit_rate, usage.price_coverage) == (0.0, None, None)
        assert (usage.cost, usage.pricing) == (0, "priced")

    def test_what_is_priced_by_the_request_counts_without_tokens_too(self) -> None:
        """Beside what is unpriced: or else rows would not add up to their total."""
        usage = Usage(requests=2, priced_requests=1, uncached_input=10, cost_nanousd=5)
        assert (usage.cost, usage.pricing, usage.price_coverage) == (5, "partial", 0.0)
        assert Confidence(usage, []).level == "partial"

    @pytest.mark.parametrize(
        ("records", "cost", "pricing"),
        [
            ([(PRICED, False, True)], 320_988, "priced"),
            ([(UNPRICED, False, True)], None, "unpriced"),
            ([(PRICED, False, True), (UNPRICED, False, True)], 320_988, "partial"),
            # A failure that used nothing is free; beside it what is unpriced stays so, and is no $0.00.
            ([(UNPRICED, True, False), (UNPRICED, False, True)], None, "unpriced"),
            # An image has no tokens and a cost that nobody knows.
            ([(UNPRICED, False, False)], None, "unpriced"),
            ([(PRICED, False, True), (UNPRICED, True, False)], 320_988, "priced"),
        ],
    )  # fmt: skip
    def test_unpriced_is_never_shown_as_free(
        self, names: Instance, records: list[tuple[str, bool, bool]], cost: int | None, pricing: str
    ) -> None:
        for number, (model, failed, has_tokens) in enumerate(records):
            tokens = {"input_tokens": 100, "output_tokens": 20} if has_tokens else {}
            book(names, payload(model=model, failed=failed, tokens=tokens, request_id=str(number)))
        usage = channel_report(ALL).usage
        assert (usage.cost, usage.pricing) == (cost, pricing)

    def test_share_of_nothing_is_none(self, names: Instance) -> None:
        book(names, payload(failed=True, tokens={}, auth_index="dave"))
        (channel,) = channel_report(ALL).channels
        assert channel.share is not None
        assert asdict(channel.share) == {"requests": 1.0, "tokens": None, "cost": None}


class TestShares:
    def test_shares_of_channels_and_of_accounts_add_up_to_one(self, ledger: list[UsageRecord]) -> None:
        report = channel_report(ALL)
        for kind in ("requests", "tokens", "cost"):
            assert sum(getattr(channel.share, kind) for channel in report.channels) == pytest.approx(1)
            for channel in report.channels:
                of_channel = [getattr(account.share_of_channel, kind) for account in channel.accounts]
                assert sum(of_channel) == pytest.approx(1)
                of_whole = [getattr(account.share, kind) for account in channel.accounts]
                assert sum(of_whole) == pytest.approx(getattr(channel.share, kind))


class TestOrder:
    @pytest.mark.parametrize("key", [*SORT_KEYS, "name"])
    def test_rows_are_sorted_either_way_with_none_and_then_the_unknown_last(
        self, ledger: list[UsageRecord], names: Instance, key: str
    ) -> None:
        list_names(
            names,
            auth_files=auth_files(
                *(auth_file(f"{name}.json", name, auth_index=name) for name in ("kimi", "qwen", "xai"))
            ),
        )
        book(names, payload(auth_index="kimi", model=UNPRICED), payload(auth_index="qwen", tokens={}, model=UNPRICED), payload(auth_index="xai", failed=True, tokens={}))  # fmt: skip
        for sort in (key, f"-{key}"):
            rows = channel_report(ALL, sort=sort).channels
            assert len(rows) == 6
            assert rows[-1].is_unknown
            known = rows[:-1]
            if key == "name":
                expected = sorted((row.name for row in known), key=str.casefold, reverse=sort == "-name")
                assert [row.name for row in known] == expected
                continue
            values = [SORT_KEYS[key](row.usage) for row in known]
            present = [value for value in values if value is not None]
            assert values == present + [None] * (len(values) - len(present))
            assert present == sorted(present, reverse=sort.startswith("-"))

    @pytest.mark.parametrize("sort", ["tokens", "-tokens"])
    def test_equal_rows_are_in_the_order_of_their_names(self, names: Instance, sort: str) -> None:
        book(names, *(payload(auth_index=name, request_id=name) for name in ("dave", "bob", "carol")))
        report = channel_report(ALL, sort=sort)
        (codex,) = (channel for channel in report.channels if channel.name == "codex")
        assert [account.name for account in codex.accounts] == ["carol@example.com", "dave@example.com"]

    def test_sources_that_nothing_names_stand_last_in_their_channel(self, instance: Instance) -> None:
        """An ambiguous mail: the channel is sure, the account is not, and it has the most tokens."""
        files = [auth_file(f"{name}.json", "codex", email="dave@example.com", auth_index=name) for name in ("a", "b")]
        list_names(instance, auth_files=auth_files(*files))
        book(instance, payload(auth_index="a"), payload(source="dave@example.com", tokens={"input_tokens": 10**6}))
        (codex,) = channel_report(ALL).channels
        assert [account.is_unknown for account in codex.accounts] == [False, True]
        assert codex.accounts[1].name == "dave@example.com"

    def test_models_are_sorted_by_tokens(self, ledger: list[UsageRecord]) -> None:
        for channel in channel_report(ALL).channels:
            for models in (channel.models, *(account.models for account in channel.accounts)):
                tokens = [model.usage.total_tokens for model in models]
                assert tokens == sorted(tokens, reverse=True)


class TestAnswer:
    def test_answer_in_json_has_the_figures_of_the_report(self, ledger: list[UsageRecord]) -> None:
        report = channel_report(ALL)
        answer = ChannelReportSerializer(report).data
        assert answer["total"]["requests"] == len(ledger) == sum(one["usage"]["requests"] for one in answer["channels"])
        tokens = answer["total"]["tokens"]
        disjoint = ("uncached_input", "cache_read", "cache_write", "answer", "reasoning", "unclassified")
        assert sum(tokens[name] for name in disjoint) == tokens["total"] == report.usage.total_tokens
        assert tokens["input"] + tokens["output"] + tokens["unclassified"] == tokens["total"]
        cost = answer["total"]["cost"]
        assert (
            Decimal(cost["usd"]) == Decimal(cost["nanousd"]).scaleb(-9) == Decimal(report.usage.cost_nanousd).scaleb(-9)
        )
        assert cost["pricing"] == "partial"

    def test_unpriced_is_null_in_json(self, names: Instance) -> None:
        book(names, payload(model=UNPRICED))
        cost = ChannelReportSerializer(channel_report(ALL)).data["total"]["cost"]
        assert cost == dict.fromkeys(cost) | {"pricing": "unpriced", "coverage": 0.0}

    @pytest.mark.parametrize("nano", [0, 1, 999_999_999, 10**9, 12_345_678_123_456_789, 9_007_199_254_740_993])
    def test_dollars_are_written_to_the_last_nano(self, nano: int) -> None:
        usage = Usage(requests=1, priced_requests=1, cost_nanousd=nano)
        written = CostSerializer(usage).data
        assert written["nanousd"] == nano
        assert Decimal(written["usd"]).scaleb(9) == nano
