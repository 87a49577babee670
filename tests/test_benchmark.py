"""`manage.py benchmark` gives figures of every step, works in a place of its own, and leaves nothing behind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from tests.factories import NOON
from usage.accounting.payload import read_record
from usage.accounting.tokens import Buckets
from usage.benchmark.cast import Cast, assemble, introduce
from usage.benchmark.ledger import LedgerTraffic
from usage.benchmark.traffic import Traffic
from usage.benchmark.upstream import Upstream
from usage.ingest.grains import HOUR, TOKENS
from usage.ingest.insertion import COLUMNS
from usage.ingest.prices import load_prices
from usage.models import ApiKey, Channel, Instance, ModelName, RequestTraits, Source, UsageRecord
from usage.models.fields import from_micros, to_micros

RECORDS = 2_000


def databases() -> set[str]:
    """Return the databases of benchmarks of ours: other workers run theirs on the same server."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        ours = connection.settings_dict["NAME"] + "_benchmark_"
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [ours])
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.django_db(transaction=True)
def test_figures_are_whole_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps a machine busy for a while, so each engine is measured in one of the two modes."""
    mode = "subscribe" if connection.vendor == "postgresql" else "queue"
    monkeypatch.setenv("POLL_SECONDS", "0.5")
    before, out = databases(), StringIO()
    call_command("benchmark", "ingest", "--records", str(RECORDS), "--mode", mode, "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert (found["engine"], found["mode"], found["readers"]) == (connection.vendor, mode, 4)
    assert [figure["name"] for figure in found["figures"]] == ["bare insert", "decode", "decode and book", "end to end"]
    assert found["figures"][0]["of_bare_insert"] == 1
    for figure in found["figures"]:
        assert figure["records"] == RECORDS
        assert figure["per_second"] == pytest.approx(RECORDS / figure["seconds"], abs=1)
    assert all(0 < found[spread]["p50"] <= found[spread]["p95"] for spread in ("visible_ms", "page_ms"))
    assert list(tmp_path.iterdir()) == []
    assert databases() == before
    assert not Instance.objects.exists()
    assert not UsageRecord.objects.exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="it is asked of the one that is kept")
@pytest.mark.django_db(transaction=True)
def test_questions_have_the_answers_of_the_records_and_leave_nothing_behind(tmp_path: Path) -> None:
    before = databases()
    check_answers(ask("--records", str(RECORDS), "--only", "totals range=30d"))
    assert list(tmp_path.iterdir()) == []
    assert databases() == before
    assert not UsageRecord.objects.exists()


@pytest.mark.skipif(connection.vendor == "postgresql", reason="it keeps a file of SQLite on any engine")
@pytest.mark.django_db(transaction=True)
def test_a_ledger_that_is_kept_is_asked_again_of_pages_too_and_beside_a_collector(tmp_path: Path) -> None:
    kept = f"sqlite:///{tmp_path / 'kept.sqlite3'}"
    check_answers(ask("--records", str(RECORDS), "--only", "totals range=30d", "--database", kept))
    assert {path.suffix for path in tmp_path.iterdir()} <= {".sqlite3", ".sqlite3-wal", ".sqlite3-shm"}
    assert not UsageRecord.objects.exists()
    again = ask(
        "--only", "GET /channels/…/ range=24h", "--no-raw", "--database", kept, "--beside", "4", "--seconds", "4"
    )
    assert (again["load"], again["records"]) == (None, RECORDS)
    assert {one["question"] for one in again["answers"]} == {"GET /channels/…/", "4 readers, a collector"}
    assert all(one["raw_ms"] is None and one["warm_ms"]["p50"] > 0 for one in again["answers"])
    out = StringIO()
    call_command("benchmark", "reprice", "--database", kept, "--json", stdout=out)
    repriced = json.loads(out.getvalue())
    assert (repriced["engine"], repriced["load"], repriced["records"] > RECORDS) == ("sqlite", None, True)
    compared, changed = repriced["figures"]
    assert compared["records"] == repriced["records"] < 20 * changed["records"] < 20 * compared["records"]
    assert all(one["core_seconds"] > 0 and one["peak_mb"] for one in (compared, changed))
    assert 0 < repriced["booked_ms"]["p50"] <= repriced["booked_ms"]["p95"]


def check_answers(found: dict[str, Any]) -> None:
    assert (found["engine"], found["records"], found["load"]["records"]) == (connection.vendor, RECORDS, RECORDS)
    assert found["load"]["per_second"] > 0
    assert found["bytes_per_record"] > 80
    answers = {one["asked"]: one for one in found["answers"]}
    assert {"range=30d", "range=30d&code=429", "range=30d&tz=Asia/Kolkata"} <= answers.keys()
    for asked, answer in answers.items():
        assert not answer["differs"], asked
        assert 0 <= answer["warm_ms"]["p50"] <= answer["warm_ms"]["p95"]
        assert answer["raw_ms"] > 0 and answer["ratio"] > 0


@pytest.mark.skipif(connection.vendor == "postgresql", reason="pages are timed by the same client on any engine")
@pytest.mark.django_db(transaction=True)
def test_each_view_of_the_demo_is_timed(tmp_path: Path) -> None:
    before, out = databases(), StringIO()
    call_command("benchmark", "pages", "--records", "300", "--only", "record-", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert (found["engine"], found["records"]) == (connection.vendor, 300)
    assert [one["view"] for one in found["views"]] == ["record-failed"]
    assert all(0 < one["ms"]["p50"] <= one["ms"]["p95"] and 0 < one["kilobytes"] < 120 for one in found["views"])
    assert databases() == before and not UsageRecord.objects.exists()


def ask(*options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("benchmark", "questions", "--json", *options, stdout=out)
    return dict(json.loads(out.getvalue()))


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["ingest", "questions"])
def test_a_database_that_holds_tables_is_never_filled(what: str) -> None:
    with pytest.raises(CommandError, match="not empty"):
        call_command("benchmark", what, "--in-this-database")
    assert not Instance.objects.exists()


@pytest.mark.skipif(connection.vendor == "postgresql", reason="it is invented in memory")
@pytest.mark.django_db
class TestLedger:
    """The invented ledger is like that of a large team."""

    UNTIL = to_micros(NOON) + 1_234_567
    COUNT = 12_000

    @pytest.fixture(scope="class")
    @classmethod
    def cast(cls, django_db_setup: None, django_db_blocker: Any) -> Iterator[Cast]:
        """More than a thousand accounts, in the database as long as these tests last, which only read."""
        traffic = Traffic()
        upstream = Upstream(traffic.lists())
        with django_db_blocker.unblock(), transaction.atomic():
            yield assemble(introduce(upstream), traffic, NOON)
            transaction.set_rollback(True)
        upstream.close()

    @pytest.fixture(scope="class")
    @classmethod
    def rows(cls, cast: Cast) -> list[dict[str, Any]]:
        rows = LedgerTraffic(cast).rows(cls.COUNT, cls.UNTIL)
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    def test_it_is_the_same_each_time_and_of_any_size(self, cast: Cast) -> None:
        assert list(LedgerTraffic(cast).rows(500, self.UNTIL)) == list(LedgerTraffic(cast).rows(500, self.UNTIL))
        for count in (0, 1, 7, 4_321):
            assert len(list(LedgerTraffic(cast).rows(count, self.UNTIL))) == count

    def test_those_who_appear_are_known_by_what_their_server_lists(self, cast: Cast) -> None:
        assert len(cast.channels) == Channel.objects.count() == 12
        assert Source.objects.filter(match=Source.Match.AUTH_INDEX).count() == Source.objects.count() > 1_000
        assert sum(len(channel.models) for channel in cast.channels) == 40
        assert len(cast.api_keys) == ApiKey.objects.count() == 200

    def test_it_spans_90_days_of_which_nights_and_weekends_are_quiet(self, rows: list[dict[str, Any]]) -> None:
        moments = [from_micros(row["requested_at"]) for row in rows]
        assert min(moments) >= NOON - timedelta(days=90)
        assert max(moments) < NOON + timedelta(minutes=5)
        by_day = Counter(moment.date() for moment in moments)
        assert len(by_day) == 91
        assert 2 < by_day[date(2026, 8, 19)] / by_day[date(2026, 8, 16)] < 4  # a Wednesday and a Sunday
        by_hour = Counter(moment.hour for moment in moments)
        assert by_hour[14] > 5 * by_hour[2]

    def test_some_are_popular_and_failures_come_in_bursts(self, rows: list[dict[str, Any]]) -> None:
        for column, most in (("source_id", 0.2), ("model_id", 0.3), ("api_key_id", 0.3)):
            counts = Counter(row[column] for row in rows)
            assert 0.03 < counts.most_common(1)[0][1] / len(rows) < most
        failed = [row for row in rows if row["failed"]]
        assert 0.02 < len(failed) / len(rows) < 0.04
        hours = Counter((row["requested_at"] // HOUR, row["source_id"]) for row in failed)
        assert sum(count for count in hours.values() if count > 1) > len(failed) / 4

    def test_what_fails_is_mostly_tried_again_elsewhere(self, rows: list[dict[str, Any]]) -> None:
        requests: dict[str, list[dict[str, Any]]] = {}
        websockets = set(RequestTraits.objects.filter(endpoint="GET /v1/responses").values_list("pk", flat=True))
        for row in rows:
            if row["traits_id"] not in websockets:
                requests.setdefault(row["request_id"], []).append(row)
        retried = [attempts for attempts in requests.values() if len(attempts) > 1]
        assert len(retried) > sum(row["failed"] for row in rows) / 2
        for attempts in retried:
            assert len({(row["api_key_id"], row["alias_id"], row["traits_id"]) for row in attempts}) == 1
            assert all(row["failed"] for row in attempts[:-1])
            for one, following in pairwise(attempts):
                end = one["requested_at"] + one["latency_ms"] * 1_000
                assert end < following["requested_at"] < end + 600_000_000
        assert len({row["request_id"] for row in rows if row["traits_id"] in websockets}) < len(rows) / 20

    def test_it_costs_what_its_prices_say(self, rows: list[dict[str, Any]]) -> None:
        names, prices = dict(ModelName.objects.values_list("pk", "name")), load_prices()
        for row in rows:
            price = prices.find(names[row["model_id"]], row["requested_at"])
            buckets = Buckets(*(row[name] for name in TOKENS))
            unpriced = 0 if row["failed"] and not buckets.total else None
            assert (row["cost_nanousd"], row["price_id"]) == (
                (price.cost(buckets), price.id) if price else (unpriced, None)
            )
        assert 0 < sum(row["cost_nanousd"] is None for row in rows) < len(rows) / 5


def test_traffic_is_the_same_each_time_and_like_that_of_a_large_team() -> None:
    raws = list(Traffic().records(3_000, NOON))
    assert raws == list(Traffic().records(3_000, NOON))
    assert 1_200 < sum(map(len, raws)) / len(raws) < 1_600  # with the headers of quotas
    records = [read_record(raw) for raw in raws]
    assert records[-1].requested_at // 1_000_000 == int(NOON.timestamp())
    assert len({one.provider for one in records}) == 12
    assert 30 <= len({one.model for one in records}) <= 40
    assert 0.02 < sum(one.failed for one in records) / len(records) < 0.04
    lists = Traffic().lists()
    assert len(lists["/auth-files"]["files"]) + len(lists["/openai-compatibility"]["openai-compatibility"]) > 1_000
