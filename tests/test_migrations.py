"""A database of an older version comes up to this one with all that is in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RunSQL
from django.db.migrations.state import StateApps
from django.db.models import BigIntegerField, ForeignKey, QuerySet

from tests.factories import NOON, book, payload
from usage.accounting.pricing import Price
from usage.accounting.tokens import Buckets
from usage.ingest import distribution, rollup
from usage.ingest.attempts import derive
from usage.ingest.compaction import compact
from usage.ingest.distribution import decode
from usage.ingest.grains import DAY, Grain
from usage.ingest.pruning import prune
from usage.models import (
    AttemptHour,
    DistributionState,
    Instance,
    ModelPrice,
    Source,
    UsageDailyByChannel,
    UsageDailyByChannelModel,
    UsageDailyByKeyChannelModel,
    UsageDailyBySourceKeyModel,
    UsageDailyFailures,
    UsageDailyFailuresByChannelModel,
    UsageDailyFailuresByKey,
    UsageDistribution,
    UsageFailuresByChannel,
    UsageHourlyByChannel,
    UsageHourlyByChannelModel,
    UsageHourlyByKey,
    UsagePeak,
    UsageWeeklyByKeyChannelModel,
    UsageWeeklyBySource,
)
from usage.models.fields import from_micros, to_micros
from usage.models.rollup import Rollup

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE, AFTER = "0004_rollups", "0007_narrow_columns"
RECORDS = 30


@cache
def models_of(name: str) -> StateApps:
    return MigrationLoader(None).project_state([("usage", name)]).apps


SUMS = [model.__name__ for model in models_of(BEFORE).get_models() if hasattr(model, "bucket")]


@pytest.fixture
def empty_database(tmp_path: Path) -> Iterator[None]:
    """In the place of the database of the tests, another one of the same engine."""
    own, is_file = connections["default"], connection.vendor == "sqlite"
    name = f"{tmp_path}/other.sqlite3" if is_file else f"{own.settings_dict['NAME']}_other"
    if not is_file:
        _execute(f"CREATE DATABASE {name}")
    other = own.copy()
    other.settings_dict["NAME"] = name
    connections["default"] = other
    yield
    other.close()
    connections["default"] = own
    if not is_file:
        _execute(f"DROP DATABASE {name}")


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def migrate(name: str) -> StateApps:
    """Return the models of that version."""
    MigrationExecutor(connection).migrate([("usage", name)])
    return models_of(name)


def rows_of(apps: StateApps, name: str) -> list[dict[str, Any]]:
    """What that version knew of the rows, but for the numbers that only told sums apart."""
    columns = {field.attname for field in models_of(BEFORE).get_model("usage", name)._meta.fields}
    rows = apps.get_model("usage", name).objects.values(*columns - ({"id"} if name in SUMS else set()))
    plain = [{key: _plain(value) for key, value in row.items()} for row in rows]
    return sorted(plain, key=lambda row: sorted(map(str, row.items())))


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def fill(apps: StateApps) -> None:
    """Rows in each table that the migration makes anew, and in those that it changes; numbers are any that there were."""

    def add(model: str, /, **values: Any) -> Any:
        return apps.get_model("usage", model).objects.create(**values)

    instance = add("Instance", name="CPA", slug="cpa", base_url="http://127.0.0.1:9", encrypted_key="x")
    sources = [add("Source", instance=instance, auth_index=f"{number}") for number in range(3)]
    names = [add("ModelName", name=f"m{number}-FAKE") for number in range(3)]
    keys = [add("ApiKey", key_digest=bytes([number] * 16), key_mask="sk-…") for number in range(2)]
    traits = add("RequestTraits", endpoint="POST /v1/messages")
    price = add("ModelPrice", pattern="m1-FAKE", input=1, output=2)
    random = Random(3)
    for number in range(RECORDS):
        record = add(
            "UsageRecord", requested_at=NOON, dedup_key=random.randbytes(16), received_at=NOON, traits=traits,
            source=random.choice(sources), model=random.choice(names), alias=random.choice(names),
            api_key=random.choice([*keys, None]), price=random.choice([price, None]),
            cost_nanousd=random.choice([None, 2**40]), request_id=f"{number}", failed=number % 3 == 0,
            status_code=random.choice([None, 429]), generate=random.random() < 0.5, quality=number % 4,
            latency_ms=random.choice([None, 0, 2**31 - 1]), ttft_ms=random.choice([None, 900]),
            **{name: random.choice([0, 10**9]) for name in ("uncached_input", "cache_read", "reasoning")},
        )  # fmt: skip
        if record.failed:
            add("FailureText", record=record, text=f"failure {number}")
    record.delete()
    for name in SUMS:
        model = apps.get_model("usage", name)
        fields = [field for field in model._meta.fields if field.name not in ("id", "bucket")]
        for hours in range(4):
            bucket = NOON + timedelta(hours=hours)
            add(name, bucket=bucket, **{field.attname: _any_number(field, random) for field in fields})
    add("RollupState", version=3, day_offset=0, records_since=NOON)


def _any_number(field: Any, random: Random) -> int:
    if isinstance(field, ForeignKey) or field.name in ("api_key_id", "status_code"):
        return random.randrange(1, 3)
    return random.randrange(2**50 if type(Rollup._meta.get_field(field.name)) is BigIntegerField else 2**31)


def test_all_rows_are_kept(empty_database: None) -> None:
    apps = migrate(BEFORE)
    fill(apps)
    tables = ["FailureText", "Source", "ModelName", "ApiKey", "RequestTraits", "ModelPrice", "RollupState", *SUMS]
    before = {name: rows_of(apps, name) for name in tables}
    records = rows_of(apps, "UsageRecord")
    apps = migrate(AFTER)
    assert {name: rows_of(apps, name) for name in tables} == before
    assert all(before.values())
    assert rows_of(apps, "UsageRecord") == [row | {"dedup_key": row["dedup_key"][:7]} for row in records]


def test_ids_go_on_where_they_were(empty_database: None) -> None:
    apps = migrate(BEFORE)
    fill(apps)
    apps = migrate(AFTER)
    for name, least in {"UsageRecord": RECORDS, "Source": 3}.items():
        model = apps.get_model("usage", name)
        row = model.objects.latest("pk")
        row.pk, field = None, "dedup_key" if name == "UsageRecord" else "auth_index"
        setattr(row, field, b"another" if name == "UsageRecord" else "another")
        row.save(force_insert=True)
        assert row.pk > least


def test_a_duration_that_no_request_takes_becomes_none_and_the_sums_are_made_anew(empty_database: None) -> None:
    apps = migrate(BEFORE)
    fill(apps)
    wrong = apps.get_model("usage", "UsageRecord").objects.order_by("pk")[5]
    wrong.latency_ms = 2**31
    wrong.save()
    apps = migrate(AFTER)
    assert apps.get_model("usage", "UsageRecord").objects.get(pk=wrong.pk).latency_ms is None
    assert apps.get_model("usage", "RollupState").objects.get().version == 0


def test_what_pointed_to_a_record_points_to_it_again(empty_database: None) -> None:
    fill(migrate(BEFORE))
    migrate(AFTER)
    with connection.cursor() as cursor:
        relations = connection.introspection.get_relations(cursor, "usage_failuretext")
        left = [name for name in connection.introspection.table_names(cursor) if name.endswith("_before")]
    assert relations["record_id"][:2] == ("id", "usage_usagerecord")
    assert left == []


def test_what_a_person_entered_is_locked_and_costs_what_it_cost_all_day_and_for_any_account(
    empty_database: None,
) -> None:
    price = migrate("0009_peaks").get_model("usage", "ModelPrice")
    price.objects.create(pattern="own", input=1, output=2)
    price.objects.create(pattern="listed", input=3, output=4, origin="genai-prices")
    migrate("0014_price_owners_and_hours")
    own, listed = ModelPrice.objects.order_by("input")
    assert (own.locked, listed.locked) == (True, False)
    assert listed.price == Price("listed", 3_000_000, 4_000_000, id=listed.pk)


def test_the_cache_saved_what_the_price_of_the_cost_says_and_where_that_is_gone_nobody_knows(
    empty_database: None,
) -> None:
    apps, random = migrate("0011_price_origins"), Random(5)

    def add(model: str, /, **values: Any) -> Any:
        return apps.get_model("usage", model).objects.create(**values)

    instance = add("Instance", name="CPA", slug="cpa", base_url="http://127.0.0.1:9", encrypted_key="x")
    source, name = add("Source", instance=instance, auth_index="1"), add("ModelName", name="m-FAKE")
    traits = add("RequestTraits", endpoint="POST /v1/messages")
    expected: dict[bytes, int | None] = {}
    for number in range(120):
        input_, cached, written, output = (random.choice([0, 1, 18_750, 3_000_001, 10**11]) for _ in range(4))
        multiplier, booked = random.choice([10_000, 3_333, 999_999]), number % 4
        known = {"cached_input": random.choice([None, cached]), "cache_write": random.choice([None, written])}
        price = Price("m-FAKE", input_, output, **known, per_request=number % 3, multiplier=multiplier)
        row = add("ModelPrice", **{
            name: getattr(ModelPrice.of(price), name)
            for name in ("input", "output", *known, "per_request", "multiplier")
        }, pattern=f"m{number}-FAKE")  # fmt: skip
        failed, used = number % 5 == 0, Buckets(*(random.choice([0, 7, 10**6]) for _ in range(6)))
        cost, key = price.cost(used, failed=failed), bytes([number] * 7)
        add(
            "UsageRecord", requested_at=NOON, dedup_key=key, received_at=NOON, traits=traits, source=source,
            model=name, alias=name, failed=failed, price=row if booked else None,
            cost_nanousd=[cost, cost, cost + 1, None][booked], **used._asdict(),
        )  # fmt: skip
        changed = booked != 1 and used.cache_read + used.cache_write > 0
        expected[key] = None if booked == 3 or changed else price.saved(used)
    records = migrate("0013_cache_savings").get_model("usage", "UsageRecord").objects.all()
    assert {bytes(row.dedup_key): row.saved_nanousd for row in records} == expected
    assert len({saved for saved in expected.values() if saved}) > 5
    assert min(saved or 0 for saved in expected.values()) < 0


def statements_of(name: str) -> list[str]:
    """Return the SQL of a migration that fills tables."""
    migration = import_module(f"usage.migrations.{name}").Migration
    (sql,) = (one.sql for one in migration.operations if isinstance(one, RunSQL))
    return [sql] if isinstance(sql, str) else list(sql)


@pytest.mark.parametrize("pruned_days", [0, 2])
def test_sums_by_channel_and_peaks_of_failures_are_made_of_what_is_there(instance: Instance, pruned_days: int) -> None:
    """What these migrations make of a database is what booking would have made; of pruned failures it knows the most there can be."""
    random = Random(5)
    for number in range(60):
        at = NOON - timedelta(minutes=random.randrange(4 * 24 * 60))
        fail = {"status_code": random.choice([429, 500])}
        book(instance, payload(at, request_id=str(number), failed=random.random() < 0.5, fail=fail))
    derive()
    new = (UsageHourlyByChannel, UsageDailyByChannel, UsageWeeklyBySource)
    failures = UsagePeak.objects.filter(kind__in=(UsagePeak.Kind.FAILED, UsagePeak.Kind.STATUS))
    prune(NOON - timedelta(days=pruned_days)) if pruned_days else None
    sums, peaks = [set(model.objects.values_list()) for model in new], set(failures.values_list())
    for rows in (*(model.objects for model in new), failures):
        rows.all().delete()
    Source.objects.update(sums_channel_id=None)
    for sql in statements_of("0015_sums_by_channel"):
        if "usage_usagedailybysourcekey" not in sql:  # which is gone by now
            _execute(sql)
    assert [set(model.objects.values_list()) for model in new] == sums
    kept_since = from_micros(rollup.records_since())
    assert {row for row in failures.values_list() if row[2] >= kept_since} == {
        row for row in peaks if row[2] >= kept_since
    }
    bounds = {row[:3]: row for row in failures.values_list() if row[2] < kept_since}
    assert bounds.keys() == {row[:3] for row in peaks if row[2] < kept_since}
    assert all(bounds[row[:3]][3] >= row[3] and bounds[row[:3]][5] is None for row in peaks if row[2] < kept_since)
    assert bool(bounds) == bool(pruned_days)


def test_sums_of_failures_and_attempts_are_made_of_what_is_there(instance: Instance) -> None:
    random = Random(6)
    for number in range(60):
        at = NOON - timedelta(hours=number // 2 * 3, minutes=number % 2 * 5)
        fail = {"status_code": random.choice([429, 500])}
        book(
            instance,
            payload(
                at, request_id=str(number // 2), endpoint="POST /v1/messages", failed=random.random() < 0.5, fail=fail
            ),
        )
    derive()
    new = (UsageDailyFailures, UsageDailyFailuresByKey, UsageFailuresByChannel, AttemptHour)
    expected = [set(model.objects.values_list()) for model in new]
    assert all(expected)
    for model in new:
        model.objects.all().delete()
    migration = import_module("usage.migrations.0022_failures_by_key_and_channel")
    with connection.schema_editor() as editor:
        migration._add_to_key(apps, editor)
        migration._fill(apps, editor)
    for sql in statements_of("0023_hours_of_attempts"):
        _execute(sql)
    assert [set(model.objects.values_list()) for model in new] == expected


@pytest.mark.parametrize("pruned_days", [0, 2])
def test_sums_of_keys_by_channel_are_made_of_what_is_there(instance: Instance, pruned_days: int) -> None:
    random = Random(7)
    for number in range(60):
        at = NOON - timedelta(minutes=random.randrange(12 * 24 * 60))
        of = {"model": f"m{number % 3}-FAKE", "api_key": f"sk-FAKE-{number % 4}", "failed": number % 2 == 0}
        fail = {"status_code": random.choice([429, 500])}
        book(instance, payload(at, request_id=str(number), fail=fail, **of))
    new = (
        UsageDailyBySourceKeyModel, UsageDailyByKeyChannelModel, UsageWeeklyByKeyChannelModel,
        UsageHourlyByChannelModel, UsageDailyByChannelModel, UsageHourlyByKey, UsageDailyFailuresByChannelModel,
    )  # fmt: skip
    prune(NOON - timedelta(days=pruned_days)) if pruned_days else None
    expected = [set(model.objects.values_list()) for model in new]
    assert all(len(rows) > 10 for rows in expected), [len(rows) for rows in expected]
    for model in new:
        model.objects.all().delete()
    migration = import_module("usage.migrations.0031_more_sums_of_keys_and_failures")
    with connection.schema_editor() as editor:
        migration._fill(apps, editor)
    assert [set(model.objects.values_list()) for model in new] == expected


@pytest.mark.parametrize("pruned_days", [0, 2])
def test_distributions_of_keys_and_models_are_made_of_what_is_there(instance: Instance, pruned_days: int) -> None:
    random = Random(8)
    for number in range(80):
        at = NOON - timedelta(minutes=random.randrange(5 * 24 * 60))
        of = {
            "model": f"m{number % 3}-FAKE",
            "api_key": random.choice(["", "sk-FAKE-one-0123456789"]),
            "auth_index": random.choice(["one", "two"]),
        }
        book(instance, payload(at, request_id=str(number), latency_ms=random.choice([90, 5_000]), **of))
    distribution.fold(1)
    compact(to_micros(NOON) + 10 * DAY)
    prune(NOON - timedelta(days=pruned_days)) if pruned_days else None
    new = UsageDistribution.objects.filter(
        kind=distribution.KINDS[Grain(distribution.TABLE, DAY, ("model_id", "api_key_id"))]
    )
    expected, change = set(_read_distributions(new)), DistributionState.objects.get().change
    assert len(expected) > 20
    new.delete()
    migration = import_module("usage.migrations.0032_distributions_of_keys_and_models")
    with connection.schema_editor() as editor:
        migration._fill(apps, editor)
    assert set(_read_distributions(new)) == expected
    assert DistributionState.objects.get().change > change
    assert compact(to_micros(NOON) + 10 * DAY) > 0
    assert not distribution.differences()


def _read_distributions(rows: QuerySet[UsageDistribution]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        bins = (tuple(sorted(decode([bytes(one)]).items())) for one in (row.latency, row.ttft))
        yield to_micros(row.bucket), row.source_id, row.model_id, row.api_key_id, *bins


@pytest.mark.parametrize("table", ["usage_usagerecord", "usage_usagehourly", "usage_usagedailybysourcekeymodel"])
def test_no_column_of_the_large_tables_is_behind_a_narrower_one(table: str) -> None:
    """PostgreSQL would leave space before it, in each row that has it. Only failures have a message; and for the clients,
    which came later, a table of millions was not written anew: there is one byte to save.
    """
    if connection.vendor != "postgresql":
        pytest.skip("SQLite packs its columns")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attlen FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND attname NOT IN ('message_id', 'client_id') ORDER BY attnum",
            [table],
        )
        widths = [width for (width,) in cursor.fetchall()]
    assert widths == sorted(widths, reverse=True)
