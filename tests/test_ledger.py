"""Each record is booked once, whoever brings it how often and in whatever order, and the rollup always equals them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from random import Random
from threading import Barrier
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import (
    CLIENT_KEY,
    NOON,
    RECEIVED,
    auth_file,
    auth_files,
    book,
    detail,
    examples,
    legacy_payload,
    list_names,
    payload,
    read_all,
    record,
    rollup_rows,
    sums_of,
    undone,
)
from tests.test_tokens import server_breakdown
from usage.accounting.payload import Payload, Twins, read_detail, read_record
from usage.accounting.tokens import MOST_TOKENS, Buckets
from usage.ingest import grains, rollup
from usage.ingest.ledger import BATCH, Counts, Ledger, Rejected
from usage.ingest.prices import price_unpriced
from usage.models import (
    ApiKey,
    ClientTraits,
    CollectionState,
    Instance,
    ModelName,
    ModelPrice,
    QuarantinedPayload,
    RequestTraits,
    RollupState,
    Source,
    UsageDailyByModel,
    UsageHourly,
    UsageRecord,
)
from usage.models.fields import from_micros, to_micros
from usage.models.rollup import DailyRollup, HourlyRollup, QuarterHourlyRollup, WeeklyRollup
from usage.secrets import decrypt

# No catalog knows them: what they cost is up to the test.
MODELS = ("priced-FAKE", "other-FAKE")


def price(model: str = MODELS[0], **fields: Any) -> ModelPrice:
    return ModelPrice.objects.create(pattern=model, input=Decimal("1.234567"), output=Decimal("9.876543"), **fields)


def book_raws(instance: Instance, raws: Iterable[bytes]) -> Counts:
    payloads, rejected = read_all(raws)
    return Ledger(instance).book(payloads, rejected)


MODELS_OF_SUMS = [
    *QuarterHourlyRollup.__subclasses__(),
    *HourlyRollup.__subclasses__(),
    *DailyRollup.__subclasses__(),
    *WeeklyRollup.__subclasses__(),
]


def key_of(record: UsageRecord, grain: grains.Grain) -> rollup.Key:
    dimensions = {
        "source_id": record.source_id,
        "model_id": record.model_id,
        "api_key_id": record.api_key_id or 0,
        "status_code": record.status_code or 0,
        "message_id": record.message_id or 0,
        "channel_id": record.source.sums_channel_id,
    }
    at = to_micros(record.requested_at)
    return at - (at + grain.offset) % grain.width, *(dimensions[name] for name in grain.dimensions)


def hour_of(row: UsageHourly) -> rollup.Key:
    return to_micros(row.bucket), row.source_id, row.model_id, row.api_key_id


def records_by(grain: grains.Grain) -> dict[rollup.Key, dict[str, int]]:
    """The sums of one grain as plain Python makes them of the records."""
    groups: dict[rollup.Key, list[UsageRecord]] = {}
    for row in UsageRecord.objects.all():
        if row.failed or not grain.only_failed:
            groups.setdefault(key_of(row, grain), []).append(row)
    return {key: sums_of(records) for key, records in groups.items()}


def booked() -> tuple[Any, ...]:
    """All that booking leaves, without the ids that another order gives."""
    records = UsageRecord.objects.values_list(
        "requested_at", "dedup_key", "source__provider", "source__auth_index", "model__name", "alias__name",
        "api_key__key_mask", "failed", "quality", *grains.TOKENS, "cost_nanousd", "failure_text__text",
        "message__text",
    )  # fmt: skip
    kept = QuarantinedPayload.objects.values_list("payload_digest", flat=True)
    return sorted((at, bytes(key), *rest) for at, key, *rest in records), rollup_rows(), {bytes(one) for one in kept}


def assert_rollup_equals_records() -> None:
    for grain in grains.GRAINS:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(grain.columns)} FROM {grain.table}")
            rows = cursor.fetchall()
        width = len(grain.key)
        found = {row[:width]: dict(zip(grains.SUMS, row[width:], strict=True)) for row in rows}
        assert len(found) == len(rows)
        assert found == records_by(grain)
    assert rollup.differences() == []


count = st.integers(0, 10**6) | st.sampled_from([-1, 2**40, 2**70, 1.5, 10**9])
raw_tokens = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "total_tokens", "cache_read_tokens", "cache_creation_tokens"),
        count,
    ),
)  # fmt: skip
moments = st.sampled_from(
    [timedelta(0), timedelta(microseconds=-1), timedelta(minutes=59), timedelta(hours=1), timedelta(days=-40)]
)
raw_records = st.builds(
    lambda at, fields: record(NOON + at, **fields),
    moments,
    st.fixed_dictionaries(
        {"tokens": raw_tokens, "request_id": st.sampled_from("abc"), "failed": st.booleans(), "model": st.sampled_from([*MODELS, "", "x\0" * 200])},
        optional={
            "provider": st.sampled_from(["claude", "gemini", "openai-compatible-x", ""]),
            "executor_type": st.sampled_from(["ClaudeExecutor", "unknown"]),
            "auth_index": st.sampled_from(["aa", "bb", "", 7]),
            "source": st.sampled_from(["dave@example.com", CLIENT_KEY, "sk-FAKE-upstream-00000001", "\0"]),
            "alias": st.text(max_size=5),
            "latency_ms": st.sampled_from([0, -5, 2**70, 1.5, 3]),
            "fail": st.fixed_dictionaries({"status_code": st.sampled_from([200, 429, -1, 10**6]), "body": st.text(max_size=9)}),
        },
    ),
)  # fmt: skip
garbage = st.sampled_from(
    [
        b'"text"',
        b"{}",
        b"[]",
        b"",
        b"\xff",
        b'{"tokens": NaN}',
        record(tokens=None),
        record(timestamp="0001-01-01T00:00:00Z"),
    ]
)
arrivals = st.lists(raw_records | garbage, max_size=12)
with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(25))


class TestExactlyOnce:
    @with_database
    @given(arrivals, st.randoms(use_true_random=False), st.booleans())
    def test_any_split_order_and_repetition_books_the_same(
        self, instance: Instance, raws: list[bytes], random: Random, is_priced: bool
    ) -> None:
        with undone():
            if is_priced:
                price()
            book_raws(instance, raws)
            assert_rollup_equals_records()
            at_once = booked()
        with undone():
            if is_priced:
                price()
            again = raws + random.sample(raws, len(raws) // 2)
            random.shuffle(again)
            while again:
                size = random.randint(1, len(again))
                book_raws(instance, again[:size])
                again = again[size:]
            book_raws(instance, raws)
            assert_rollup_equals_records()
            assert booked() == at_once

    def test_counts_tell_what_became_of_each(self, instance: Instance) -> None:
        raws = [record(request_id="1"), record(request_id="2"), record(request_id="1"), b'"text"', b"{}"]
        assert book_raws(instance, raws) == Counts(read=5, new=2, duplicate=1, quarantined=2)
        assert book_raws(instance, raws) == Counts(read=5, new=0, duplicate=3, quarantined=2)
        assert book_raws(instance, []) == Counts()
        assert UsageRecord.objects.count() == 2
        assert QuarantinedPayload.objects.count() == 2

    def test_two_records_of_one_time_and_request_stay_two(self, instance: Instance) -> None:
        """The image that a Codex answer made is a record of its own."""
        answer = payload(request_id="9f2c41ab", model=MODELS[0])
        image = payload(request_id="9f2c41ab", model=MODELS[1])
        assert book(instance, answer, image).new == 2
        assert UsageRecord.objects.filter(requested_at=NOON, request_id="9f2c41ab").count() == 2

    def test_same_bytes_from_another_time_are_another_record(self, instance: Instance) -> None:
        later = NOON + timedelta(microseconds=1)
        assert book(instance, payload(NOON), payload(later)).new == 2

    def test_snapshot_repeats_itself_and_grows(self, instance: Instance) -> None:
        def snapshot(*entries: dict[str, Any]) -> Counts:
            twins = Twins()
            return book(instance, *(read_detail(CLIENT_KEY, MODELS[0], entry, twins) for entry in entries))

        one, other = detail(), detail(NOON + timedelta(seconds=1))
        assert snapshot(one, one).new == 2
        assert snapshot(one, one, other).new == 1
        assert snapshot(one, one, one, other).new == 1
        assert snapshot(other).new == 0
        assert UsageHourly.objects.get().requests == 4

    def test_failure_in_the_middle_leaves_nothing_behind(self, instance: Instance) -> None:
        ledger, unfit = Ledger(instance), Rejected(None, "no bytes at all", RECEIVED)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            ledger.book([payload(failed=True, fail={"body": "x"})], [Rejected(b"x", "x", RECEIVED), unfit])
        assert booked() == ([], set(), set())
        assert ledger.book([payload()], []).new == 1
        assert_rollup_equals_records()


class TestAtOnce:
    """Several collectors that bring the same: no deadlock, no double, none lost."""

    THREADS = 4

    def run(self, work: Callable[[int], object]) -> None:
        barrier = Barrier(self.THREADS)

        def one(number: int) -> None:
            try:
                barrier.wait()
                work(number)
            finally:
                connection.close()

        with ThreadPoolExecutor(self.THREADS) as pool:
            for future in [pool.submit(one, number) for number in range(self.THREADS)]:
                future.result(timeout=60)

    def raws(self) -> list[bytes]:
        return [
            record(
                NOON + timedelta(minutes=7 * number), model=MODELS[number % 2], auth_index=f"{number % 5}",
                request_id=f"{number}", failed=number % 7 == 0, fail={"status_code": 500, "body": "oops"},
                api_key=f"{CLIENT_KEY}-{number % 3}", endpoint=f"POST /v{number % 4}",
            )
            for number in range(120)
        ]  # fmt: skip

    @pytest.mark.django_db(transaction=True)
    def test_same_and_overlapping_batches_book_each_record_once(self, instance: Instance) -> None:
        price()
        raws = self.raws()

        def work(number: int) -> None:
            random = Random(number)
            for _ in range(4):
                part = random.sample(raws, 60)
                book_raws(instance, part)
            book_raws(instance, random.sample(raws, len(raws)))

        self.run(work)
        assert UsageRecord.objects.count() == len(raws)
        state = CollectionState.objects.get()
        assert (state.booked, state.duplicates) == (len(raws), self.THREADS * (4 * 60 + len(raws)) - len(raws))
        assert (Source.objects.count(), ApiKey.objects.count(), RequestTraits.objects.count()) == (5, 3, 4)
        assert_rollup_equals_records()

    @pytest.mark.django_db(transaction=True)
    def test_same_garbage_in_another_order_is_kept_once(self, instance: Instance) -> None:
        def work(number: int) -> None:
            for turn in range(5):
                rejected = [Rejected(b"garbage %d of turn %d" % (one, turn), "x", RECEIVED) for one in range(300)]
                Ledger(instance).book([], rejected if number % 2 else rejected[::-1])

        self.run(work)
        assert QuarantinedPayload.objects.count() == 5 * 300

    @pytest.mark.django_db(transaction=True)
    def test_pricing_rebuilding_and_booking_at_once_keep_the_rollup_exact(self, instance: Instance) -> None:
        raws = self.raws()
        book_raws(instance, raws[:60])
        price()

        def work(number: int) -> None:
            random = Random(number)
            for _ in range(3):
                if number == 0:
                    rollup.rebuild()
                elif number == 1:
                    price_unpriced()
                else:
                    book_raws(instance, random.sample(raws, 60))

        self.run(work)
        price_unpriced()
        book_raws(instance, raws)
        assert UsageRecord.objects.count() == len(raws)
        assert UsageRecord.objects.filter(cost_nanousd=None, model__name=MODELS[0]).count() == 0
        assert_rollup_equals_records()

    @pytest.mark.django_db(transaction=True)
    def test_two_that_price_at_once_count_each_record_once(self, instance: Instance) -> None:
        book_raws(instance, self.raws())
        price()
        self.run(lambda number: price_unpriced())
        assert UsageRecord.objects.filter(cost_nanousd=None, model__name=MODELS[0]).count() == 0
        assert_rollup_equals_records()

    @pytest.mark.django_db(transaction=True)
    def test_two_that_list_at_once_agree_on_the_accounts(self, instance: Instance) -> None:
        files = [auth_file(f"{number}.json", "codex", email=f"{number}@example.com") for number in range(5)]
        self.run(lambda number: list_names(instance, auth_files=auth_files(*files)))
        assert instance.accounts.count() == 5


class TestState:
    """What the instance is said to have booked is what it booked."""

    def state(self, instance: Instance) -> tuple[Any, ...]:
        state = CollectionState.objects.get(instance=instance)
        return state.booked, state.duplicates, state.quarantined

    def test_sums_grow_with_what_is_new_and_what_is_not(self, instance: Instance) -> None:
        raws = [record(request_id="1"), record(request_id="2"), record(request_id="1"), b'"text"', b"{}"]
        book_raws(instance, raws)
        assert self.state(instance) == (2, 1, 2)
        book_raws(instance, [*raws, b"[]"])
        assert self.state(instance) == (2, 4, 3)  # the same damage is kept once

    def test_latest_times_are_the_greatest_seen_in_any_order(self, instance: Instance) -> None:
        def book_at(requested: int, received: int) -> None:
            payloads = [read_record(record(NOON + timedelta(hours=requested)), RECEIVED + received)]
            Ledger(instance).book(payloads, ())

        book_at(1, 5)
        book_at(0, 9)
        book_at(2, 7)
        state = CollectionState.objects.get()
        assert state.last_requested_at == NOON + timedelta(hours=2)
        assert state.last_received_at == from_micros(RECEIVED + 9)

    def test_garbage_moves_no_time_of_a_record(self, instance: Instance) -> None:
        Ledger(instance).book([], [Rejected(b"x", "x", RECEIVED)])
        state = CollectionState.objects.get()
        assert (state.last_requested_at, state.last_received_at) == (None, from_micros(RECEIVED))
        book(instance, payload())
        Ledger(instance).book([], [Rejected(b"y", "y", RECEIVED + 1)])
        state.refresh_from_db()
        assert (state.last_requested_at, state.last_received_at) == (NOON, from_micros(RECEIVED + 1))

    def test_failure_in_the_middle_counts_nothing(self, instance: Instance) -> None:
        unfit = Rejected(None, "no bytes at all", RECEIVED)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            Ledger(instance).book([payload()], [unfit])
        assert not CollectionState.objects.exists()

    def test_nothing_is_no_state(self, instance: Instance) -> None:
        book(instance)
        assert not CollectionState.objects.exists()


def _sums(grain: grains.Grain) -> Any:
    """The rows of a table of sums."""
    (model,) = (model for model in MODELS_OF_SUMS if model._meta.db_table == grain.table)
    return model.objects.all()


def _bytes_of(grain: grains.Grain) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size(%s)", [grain.table])
        return int(cursor.fetchone()[0])


class TestRollup:
    def fill(self, instance: Instance) -> None:
        price()
        for number in range(6):
            at = NOON + timedelta(minutes=25 * number)
            tokens = {"input_tokens": 10 + number, "output_tokens": 5, "cached_tokens": 2, "reasoning_tokens": 1}
            book(instance, payload(at, model=MODELS[number % 2], tokens=tokens, failed=number == 3))
        assert_rollup_equals_records()

    @pytest.mark.parametrize("change", [1, -1])
    def test_any_wrong_sum_is_found_and_mended(self, instance: Instance, change: int) -> None:
        """In each table one row at a time is wrong, in one column after the other."""
        self.fill(instance)
        before = rollup_rows()
        rows = {grain: _sums(grain).order_by("-pk")[0] for grain in grains.GRAINS}
        wrong = [
            (grain.table, (to_micros(row.bucket), *(getattr(row, name) for name in grain.dimensions)))
            for grain, row in rows.items()
        ]
        for column in grains.SUMS:
            for grain, row in rows.items():
                _sums(grain).filter(pk=row.pk).update(**{column: getattr(row, column) + change})
            assert rollup.differences() == wrong, column
            for grain, row in rows.items():
                _sums(grain).filter(pk=row.pk).update(**{column: getattr(row, column)})
        assert rollup.differences() == []
        for grain, row in rows.items():
            _sums(grain).filter(pk=row.pk).update(requests=row.requests + change)
        assert rollup.rebuild() == sum(model.objects.count() for model in MODELS_OF_SUMS)
        assert rollup_rows() == before
        assert_rollup_equals_records()

    @pytest.mark.parametrize(
        ("state", "renewed"),
        [
            ({"version": grains.VERSION}, ()),
            ({"version": 7}, grains.GRAINS_OF[8]),
            ({"version": 6}, (*grains.GRAINS_OF[7], *grains.GRAINS_OF[8])),
            ({"version": 5}, grains.GRAINS),
            ({"version": grains.VERSION + 1}, grains.GRAINS),
            ({"day_offset": grains.HOUR}, grains.GRAINS),
        ],
    )
    def test_an_upgrade_makes_anew_what_it_changes_and_nothing_else(
        self, instance: Instance, state: dict[str, int], renewed: Sequence[grains.Grain]
    ) -> None:
        self.fill(instance)
        rollup.rebuild()
        RollupState.objects.update(**state)
        for grain in grains.GRAINS:
            _sums(grain).update(requests=7_000)
        assert rollup.outdated() == renewed
        call_command("migrate", verbosity=0)
        left = {table for table, _key in rollup.differences()}
        assert left == {grain.table for grain in grains.GRAINS if grain not in renewed}
        assert rollup.outdated() == ()

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.skipif(connection.vendor == "sqlite", reason="it uses the space of deleted rows at once")
    def test_a_rebuild_does_not_make_the_tables_twice_as_large(self, instance: Instance) -> None:
        days = [NOON + timedelta(days=number) for number in range(30)]
        book_raws(
            instance, [record(at + timedelta(hours=hour), model=f"{hour}-FAKE") for at in days for hour in range(20)]
        )
        before = _bytes_of(grains.HOURLY)
        rollup.rebuild()
        assert _bytes_of(grains.HOURLY) < 1.5 * before

    def test_missing_and_surplus_hours_are_found_and_mended(self, instance: Instance) -> None:
        self.fill(instance)
        before = rollup_rows()
        missing, moved = UsageHourly.objects.order_by("pk")[:2]
        keys = {hour_of(missing), hour_of(moved)}
        missing.delete()
        where_it_was = UsageHourly.objects.filter(pk=moved.pk)
        moved.bucket += timedelta(hours=24)
        where_it_was.update(bucket=moved.bucket)
        assert set(rollup.differences()) == {(grains.HOURLY.table, key) for key in keys | {hour_of(moved)}}
        assert len(rollup.differences(limit=2)) == 2
        rollup.rebuild()
        assert rollup_rows() == before

    def test_missing_record_is_found(self, instance: Instance) -> None:
        self.fill(instance)
        UsageRecord.objects.filter(failed=True).delete()
        assert [table for table, _key in rollup.differences()] == [grain.table for grain in grains.GRAINS]

    def test_rebuild_of_nothing_is_nothing(self, instance: Instance) -> None:
        assert rollup.rebuild() == 0
        assert rollup.differences() == []

    @pytest.mark.parametrize("offset", [0, 1, grains.HOUR - 1])
    def test_hour_begins_with_its_first_microsecond(self, offset: int) -> None:
        assert grains.HOURLY.start_of(to_micros(NOON) + offset) == to_micros(NOON)


class TestRow:
    def booked(self, instance: Instance, **fields: Any) -> UsageRecord:
        book(instance, payload(**fields))
        return UsageRecord.objects.select_related("model", "alias", "api_key", "traits", "source").get()

    def test_record_says_what_the_payload_said(self, instance: Instance) -> None:
        row = self.booked(
            instance, model="m-FAKE", alias="team/m", endpoint="POST /v1/responses", reasoning_effort="high",
            service_tier="auto", response_service_tier="priority", request_id="9f2c41ab", latency_ms=18422, ttft_ms=1904,
            failed=True, fail={"status_code": 429, "body": ""}, generate=False, auth_type="oauth",
        )  # fmt: skip
        traits = row.traits
        assert (traits.endpoint, traits.reasoning_effort, traits.service_tier, traits.billed_tier) == (
            "POST /v1/responses", "high", "auto", "priority",
        )  # fmt: skip
        assert (row.model.name, row.alias.name, row.request_id, row.latency_ms, row.ttft_ms) == (
            "m-FAKE", "team/m", "9f2c41ab", 18422, 1904,
        )  # fmt: skip
        assert (row.failed, row.status_code, row.generate, row.source.auth_type) == (True, 429, False, "oauth")
        assert (row.requested_at, row.received_at) == (NOON, from_micros(RECEIVED))
        assert (row.uncached_input, row.output, row.quality) == (100, 20, UsageRecord.Quality.COMPLETE)

    def test_who_called_is_kept_once_and_without_secrets(self, instance: Instance) -> None:
        key, agent = "client-key-of-no-known-shape", "codex_cli_rs/0.98.0"
        row = self.booked(
            instance, api_key=key, client_ip="203.0.113.24", x_forwarded_for=f"198.51.100.7, {key}",
            user_agent=f"{agent} sk-FAKE-0123456789 " + "x" * 400,
        )  # fmt: skip
        assert row.client
        assert (row.client.ip, row.client.forwarded_for) == ("203.0.113.24", "198.51.100.7, [redacted]")
        assert row.client.user_agent == (f"{agent} [redacted] " + "x" * 400)[:300]
        fields = {"client_ip": "203.0.113.24", "x_forwarded_for": "", "user_agent": agent}
        book(instance, *(payload(request_id=str(number), **fields) for number in range(20)), payload(user_agent=agent))
        assert sorted(ClientTraits.objects.values_list("ip", "forwarded_for")) == [
            ("", ""), ("203.0.113.24", ""), ("203.0.113.24", "198.51.100.7, [redacted]"),
        ]  # fmt: skip
        assert UsageRecord.objects.filter(client__ip="203.0.113.24", client__forwarded_for="").count() == 20

    def test_older_records_tell_nothing_of_who_called(self, instance: Instance) -> None:
        assert self.booked(instance, client_ip="", x_forwarded_for="", user_agent="").client is None
        assert not ClientTraits.objects.exists()

    def test_what_is_absent_is_none_and_not_zero(self, instance: Instance) -> None:
        row = self.booked(instance, api_key=None, alias=None)
        assert (row.api_key, row.client, row.status_code, row.latency_ms, row.ttft_ms) == (None,) * 5
        assert row.alias == row.model
        assert row.generate is True

    @pytest.mark.parametrize("bad", [-1, -(2**70)])
    def test_negative_durations_are_none(self, instance: Instance, bad: int) -> None:
        row = self.booked(instance, latency_ms=bad)
        assert row.latency_ms in (None, 0)

    @pytest.mark.parametrize(("told", "kept"), [(2**31 - 1, 2**31 - 1), (2**31, None), (2**53, None)])
    def test_durations_that_no_request_takes_are_none(self, instance: Instance, told: int, kept: int | None) -> None:
        row = self.booked(instance, latency_ms=told, ttft_ms=told)
        assert (row.latency_ms, row.ttft_ms) == (kept, kept)

    @pytest.mark.parametrize("failed", [True, False])
    def test_largest_numbers_that_are_believed_are_booked_and_summed(self, instance: Instance, failed: bool) -> None:
        price()
        most = [MOST_TOKENS] * 6
        told = server_breakdown(Buckets(*most))
        row = self.booked(
            instance, model=MODELS[0], accounting_version=2, token_breakdown=told, failed=failed,
            latency_ms=2**31 - 1, ttft_ms=1,
        )  # fmt: skip
        assert [getattr(row, name) for name in grains.TOKENS] == most
        assert row.total_tokens == UsageDailyByModel.objects.get().total_tokens == 6 * MOST_TOKENS
        assert_rollup_equals_records()

    @pytest.mark.parametrize("status", [-1, 2**15, 2**70])
    def test_status_that_is_none_is_none(self, instance: Instance, status: int) -> None:
        assert self.booked(instance, fail={"status_code": status, "body": ""}).status_code is None

    @pytest.mark.parametrize("text", ["x" * 1000, "\0", "a\0b" * 200, "鹿" * 400, ""])
    def test_texts_of_any_length_and_content_are_stored(self, instance: Instance, text: str) -> None:
        names = ("model", "alias", "provider", "executor_type", "auth_type", "auth_index", "source", "api_key", "endpoint", "request_id", "reasoning_effort", "service_tier", "response_service_tier")  # fmt: skip
        row = self.booked(instance, **dict.fromkeys(names, text))
        assert row.model.name
        assert book(instance, payload(**dict.fromkeys(names, text))).duplicate == 1

    def test_numbers_that_are_damaged_mark_the_row(self, instance: Instance) -> None:
        assert self.booked(instance, latency_ms=1.5).quality == UsageRecord.Quality.INCONSISTENT

    def test_detail_whose_family_is_a_guess_is_an_estimate(self, instance: Instance) -> None:
        book(instance, legacy_payload(detail()))
        assert UsageRecord.objects.get().quality == UsageRecord.Quality.ESTIMATED

    def test_quarantine_keeps_the_bytes_whole_and_encrypted(self, instance: Instance) -> None:
        raw = b'{"api_key": "' + CLIENT_KEY.encode() + b'", \xff}'
        book_raws(instance, [raw])
        row = QuarantinedPayload.objects.get()
        assert CLIENT_KEY not in row.encrypted_payload
        assert decrypt(row.encrypted_payload) == raw.decode("utf-8", "backslashreplace")
        assert row.size == len(raw)
        assert CLIENT_KEY not in row.reason

    def test_full_batch_takes_as_few_queries_as_a_single_record(self, instance: Instance) -> None:
        raws = [
            record(NOON + timedelta(seconds=number), model=f"m{number % 50}-FAKE", request_id=str(number))
            for number in range(BATCH)
        ]
        payloads, _ = read_all(raws)
        ledger = Ledger(instance)

        def queries(part: list[Payload]) -> int:
            with CaptureQueriesContext(connection) as captured:
                ledger.book(part, ())
            return len(captured)

        assert queries(payloads) < 70
        assert (ModelName.objects.count(), UsageRecord.objects.count()) == (50, BATCH)
        assert queries(payloads) == queries(payloads[:1])


class TestMemory:
    """A collector lives for months, and clients choose the words: what is remembered is bounded, and may be forgotten."""

    def test_ledger_that_forgets_books_the_same(self, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        price("m1*")
        raws = [
            record(
                NOON + timedelta(seconds=number), model=f"m{number % 9}-FAKE", auth_index=f"{number % 8}",
                provider=f"p{number % 3}", api_key=f"{CLIENT_KEY}-{number % 7}", endpoint=f"POST /{number % 6}",
                service_tier=f"{number % 5}", request_id=f"{number}",
            )
            for number in range(200)
        ]  # fmt: skip
        payloads, _ = read_all(raws)
        with undone():
            Ledger(instance).book(payloads, ())
            remembered = booked()
        for limit in (
            "usage.ingest.dimensions._MOST_WORDS", "usage.ingest.dimensions._MOST_COMBINATIONS",
            "usage.ingest.sources._MOST_KNOWN", "usage.accounting.price_book._MOST_CHOICES",
            "usage.ingest.ledger._MOST_ASKED",
        ):  # fmt: skip
            monkeypatch.setattr(limit, 2)
        ledger = Ledger(instance)
        for start in range(0, len(payloads), 10):
            ledger.book(payloads[start : start + 10], ())
        assert booked() == remembered
        assert_rollup_equals_records()


class TestRefusal:
    """A record that the database does not take is put aside with its bytes; the others are booked."""

    @pytest.mark.parametrize(("field", "value"), [("requested_at", 2**70), ("dedup_key", None), ("api_key", "\ud800")])
    @pytest.mark.parametrize("at", [0, 3, 6])
    def test_culprit_is_quarantined_and_the_rest_booked(
        self, instance: Instance, field: str, value: Any, at: int
    ) -> None:
        payloads, rejected = read_all([*(record(NOON + timedelta(minutes=n)) for n in range(7)), b"{}"])
        raw = payloads[at].raw
        setattr(payloads[at], field, value)
        assert Ledger(instance).book(payloads, rejected) == Counts(read=8, new=6, quarantined=2)
        assert UsageRecord.objects.count() == 6
        kept = {decrypt(row.encrypted_payload): row for row in QuarantinedPayload.objects.all()}
        assert set(kept) == {raw.decode(), "{}"}
        assert kept[raw.decode()].reason.startswith("the database refused the record (")
        assert kept[raw.decode()].received_at == from_micros(RECEIVED)
        state = CollectionState.objects.get()
        assert (state.booked, state.duplicates, state.quarantined) == (6, 0, 2)
        assert_rollup_equals_records()

    def test_reason_tells_no_value(self, instance: Instance) -> None:
        one = payload()
        one.requested_at = 123_456_789 * 10**20
        Ledger(instance).book([one], ())
        assert "123456789" not in QuarantinedPayload.objects.get().reason

    def test_several_culprits_are_found(self, instance: Instance) -> None:
        payloads = [payload(NOON + timedelta(minutes=n)) for n in range(20)]
        for one in payloads[::7]:
            one.requested_at = 2**70
        assert Ledger(instance).book(payloads, ()) == Counts(read=20, new=17, quarantined=3)
        assert Ledger(instance).book(payloads, ()) == Counts(read=20, duplicate=17, quarantined=3)
        assert QuarantinedPayload.objects.count() == 3

    def test_refusal_of_all_alike_is_no_fault_of_the_records(self, instance: Instance) -> None:
        payloads = [payload(NOON + timedelta(minutes=n)) for n in range(150)]
        for one in payloads[1:]:
            one.requested_at = 2**70
        with pytest.raises((DataError, OverflowError)):
            Ledger(instance).book(payloads[1:], [Rejected(b"x", "x", RECEIVED)])
        assert not QuarantinedPayload.objects.exists()
        assert Ledger(instance).book(payloads, ()) == Counts(read=150, new=1, quarantined=149)

    def test_detail_of_a_snapshot_keeps_what_was_read_of_it(self, instance: Instance) -> None:
        one = legacy_payload(detail(source="dave@example.com"))
        one.requested_at = 2**70
        Ledger(instance).book([one], ())
        assert "dave@example.com" in decrypt(QuarantinedPayload.objects.get().encrypted_payload)

    @pytest.mark.django_db(transaction=True)
    def test_rows_that_somebody_deleted_meanwhile_are_made_anew(self, instance: Instance) -> None:
        price()
        ledger = Ledger(instance)
        ledger.book([payload(model=MODELS[0])], ())
        UsageRecord.objects.all().delete()
        for model in (*MODELS_OF_SUMS, ModelPrice, ModelName, ApiKey, RequestTraits, Source):
            model.objects.all().delete()
        assert ledger.book([payload(model=MODELS[0])], ()) == Counts(read=1, new=1)
        row = UsageRecord.objects.get()
        assert (row.model.name, row.cost_nanousd, row.price) == (MODELS[0], None, None)
        assert not QuarantinedPayload.objects.exists()
        assert_rollup_equals_records()
