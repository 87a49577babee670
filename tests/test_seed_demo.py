"""`manage.py seed_demo`: every state that the pages can show occurs, the same on every run, and all of it adds up."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Max, Min

from tests.factories import NOON
from usage.demo import cast
from usage.demo.seeding import seed
from usage.demo.traffic import Traffic
from usage.ingest import distribution, rollup
from usage.models import (
    Account,
    ApiKey,
    Attempt,
    Channel,
    FailureText,
    Instance,
    QuarantinedPayload,
    QuotaWindow,
    Source,
    UsageRecord,
)

pytestmark = pytest.mark.django_db
# Two nights before.
STORM = NOON.replace(hour=3, minute=5) - timedelta(days=2)
State, Quality = Account.State, UsageRecord.Quality


def test_every_state_occurs_and_all_adds_up() -> None:
    demo = seed(seed=7, days=35, records=1_200, now=NOON)
    _check_who_appears(demo)
    _check_what_happened()
    _check_what_is_told()
    with pytest.raises(CommandError, match="has the server Demo CPA"):
        call_command("seed_demo")


def _check_who_appears(demo: Instance) -> None:
    accounts = [channel.accounts.count() for channel in Channel.objects.all()]
    assert (len(accounts), sum(accounts)) == (7, 31) and {1, 6} <= set(accounts)
    assert all(
        Account.objects.filter(state=state).count() == 1 for state in (State.DISABLED, State.COOLING, State.REMOVED)
    )
    idle = Channel.objects.exclude(source__isnull=False)
    assert [channel.name for channel in idle] == ["xai"]
    assert UsageRecord.objects.values("model").distinct().count() == 24
    assert UsageRecord.objects.exclude(alias=F("model")).values("alias").distinct().count() == 2
    assert (ApiKey.objects.count(), ApiKey.objects.filter(alias="").count()) == (9, 1)
    assert UsageRecord.objects.filter(api_key=None).exists()
    assert Source.objects.filter(match=Source.Match.UNKNOWN).count() == 2
    assert QuarantinedPayload.objects.exists() and demo.gaps.exists()


def _check_what_happened() -> None:
    records = UsageRecord.objects.all()
    assert {429, 401, 400, 503, 504, 502, 500, 499} <= set(records.values_list("status_code", flat=True))
    assert set(records.values_list("quality", flat=True)) == {
        Quality.COMPLETE,
        Quality.UNCLASSIFIED,
        Quality.INCONSISTENT,
    }
    assert records.filter(cost_nanousd=None).values("model").distinct().count() == 3
    costs = records.filter(failed=False, cost_nanousd__gt=0).aggregate(
        least=Min("cost_nanousd"), most=Max("cost_nanousd")
    )
    assert costs["least"] < 100_000 and costs["most"] > 10_000 * 10**9
    assert records.filter(generate=False).exists() and records.filter(failed=False, ttft_ms=0).exists()
    assert records.filter(failed=True, cost_nanousd__gt=0).exists()
    storm = records.filter(failed=True, requested_at__range=(STORM, STORM + timedelta(minutes=31)))
    assert (
        storm.filter(status_code=429, api_key__alias="CI").count() >= 36 and storm.filter(cost_nanousd__gt=0).exists()
    )
    assert QuotaWindow.objects.count() >= 20
    assert set(Attempt.objects.values_list("attempts", flat=True)) >= {2, 3}


def _check_what_is_told() -> None:
    texts = list(FailureText.objects.values_list("text", flat=True))
    assert any("[redacted]" in text for text in texts) and not any("FAKE" in text for text in texts)
    assert not any(
        "FAKE" in label for label in [*Source.objects.values_list("label", flat=True), *map(str, ApiKey.objects.all())]
    )
    assert rollup.differences() == [] and distribution.differences() == []


def test_the_same_seed_and_time_make_the_same() -> None:
    channels = cast.channels(NOON)
    one, same, other = (list(Traffic(channels, number, NOON).records(300, 35)) for number in (7, 7, 8))
    assert one == same != other


def test_command_tells_what_it_did_and_what_it_does_not_take() -> None:
    out = StringIO()
    with pytest.raises(CommandError, match="at least 1 of each"):
        call_command("seed_demo", "--days", "0")
    with pytest.raises(CommandError, match="--now"):
        call_command("seed_demo", "--now", "2026-11-23")
    call_command("seed_demo", "--records", "40", "--days", "2", "--now", "2026-11-23T18:12:05+08:00", stdout=out)
    assert "Demo CPA and its records are there" in out.getvalue()
    assert UsageRecord.objects.latest("requested_at").requested_at < datetime.fromisoformat("2026-11-23T18:12:05+08:00")
