"""`manage.py benchmark ingest` gives figures of every step, works in a place of its own, and leaves nothing behind."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.factories import NOON
from usage.accounting.payload import read_record
from usage.benchmark.traffic import Traffic
from usage.models import Instance, UsageRecord

RECORDS = 2_000


def databases() -> set[str]:
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE '%benchmark%'")
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


@pytest.mark.django_db
def test_a_database_that_holds_tables_is_never_filled() -> None:
    with pytest.raises(CommandError, match="not empty"):
        call_command("benchmark", "ingest", "--in-this-database")
    assert not Instance.objects.exists()


def test_traffic_is_the_same_each_time_and_like_that_of_a_large_team() -> None:
    raws = list(Traffic().records(3_000, NOON))
    assert raws == list(Traffic().records(3_000, NOON))
    assert 1_100 < sum(map(len, raws)) / len(raws) < 1_500
    records = [read_record(raw) for raw in raws]
    assert records[-1].requested_at // 1_000_000 == int(NOON.timestamp())
    assert len({one.provider for one in records}) == 12
    assert 30 <= len({one.model for one in records}) <= 40
    assert 0.02 < sum(one.failed for one in records) / len(records) < 0.04
    lists = Traffic().lists()
    assert len(lists["/auth-files"]["files"]) + len(lists["/openai-compatibility"]["openai-compatibility"]) > 1_000
