"""How long records are kept is said on the Settings page; only the housekeeping deletes what is older."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from channels_app.stats import EVERYTHING, Span, totals
from config.retention import kept_days
from tests.factories import book, payload
from tests.pages import text
from usage.housekeeping.jobs import RECORDS
from usage.housekeeping.runner import run_due, run_now
from usage.ingest import rollup
from usage.models import Instance, JobRun, SiteSettings, UsageRecord
from usage.models.fields import to_micros
from usage.retention import FOR_EVER, is_shorter, records_kept_days

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
DAY = timedelta(days=1)
PAGE = "/settings/retention/"


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def operator(db: None, client: Client) -> Client:
    """Not `staff`: here pages and database are looked at together, on each engine."""
    client.force_login(get_user_model().objects.create_user("operator", is_staff=True))
    return client


@pytest.fixture
def booked(instance: Instance) -> Instance:
    """A request a day at this time: of today, and of forty days before."""
    book(instance, *(payload(NOW - number * DAY, request_id=str(number)) for number in range(41)))
    return instance


def words(client: Client, data: dict[str, Any] | None = None) -> str:
    answer = client.post(PAGE, data, follow=True) if data is not None else client.get(PAGE)
    assert answer.status_code == 200
    return text(answer.content.decode())


def all_requests() -> int:
    return totals(Span(to_micros(NOW - 50 * DAY), to_micros(NOW + DAY)), EVERYTHING).requests


def test_a_shorter_time_asks_first_and_says_how_many_would_go(operator: Client, booked: Instance) -> None:
    asked = words(operator, {"records_kept_days": "30"})
    assert "Keep records for 30 days only? 10 records of 41 came before 10-24 and would be deleted" in asked
    assert "which is due at once" in asked and records_kept_days() == FOR_EVER
    JobRun.objects.create(job=RECORDS.name, driver="cron", started_at=NOW - DAY / 2, outcome=JobRun.Outcome.OK)
    assert "due at 11-23 22:30" in words(operator, {"records_kept_days": "30"})


def test_nothing_is_deleted_by_saving_and_what_was_said_by_the_housekeeping(operator: Client, booked: Instance) -> None:
    saved = words(operator, {"records_kept_days": "30", "confirmed": "30"})
    assert "Saved." in saved and "clients called from 30 days" in saved
    assert "Records are kept 30 days" in text(operator.get("/collector/").content.decode())
    assert (records_kept_days(), UsageRecord.objects.count(), rollup.records_since()) == (30, 41, 0)
    run = run_now(RECORDS, JobRun.Driver.COMMAND)
    assert run and run.outcome == JobRun.Outcome.OK and run.text == "10 records deleted"
    assert UsageRecord.objects.count() == 31 and all_requests() == 41  # their sums stay
    assert rollup.differences() == []


def test_who_changes_their_mind_in_time_loses_nothing(operator: Client, booked: Instance) -> None:
    words(operator, {"records_kept_days": "30", "confirmed": "30"})
    assert "Saved." in words(operator, {"records_kept_days": "41"})  # longer: nothing to ask
    run_due(JobRun.Driver.COLLECTOR, NOW)
    assert UsageRecord.objects.count() == 41


@pytest.mark.parametrize("confirmed", ["", "31", "yes", "0"])
def test_another_number_is_not_confirmed(operator: Client, booked: Instance, confirmed: str) -> None:
    assert "Keep records for 30 days only?" in words(operator, {"records_kept_days": "30", "confirmed": confirmed})
    assert records_kept_days() == FOR_EVER


def test_the_environment_says_what_is_usual(operator: Client, booked: Instance, settings: Any) -> None:
    settings.RECORDS_KEPT_DAYS = 35
    assert "Empty: as RECORDS_KEPT_DAYS says, 35 days." in words(operator)
    assert "clients called from 35 days RECORDS_KEPT_DAYS" in words(operator) and records_kept_days() == 35
    assert "clients called from for ever Sums" in words(operator, {"records_kept_days": "0"})  # longer
    assert records_kept_days() == FOR_EVER
    # What the environment says is shorter again.
    assert "5 records of 41 came before" in words(operator, {"records_kept_days": ""})
    assert records_kept_days() == FOR_EVER
    assert "RECORDS_KEPT_DAYS" in words(operator, {"records_kept_days": "", "confirmed": "35"})
    assert records_kept_days() == 35 and SiteSettings.objects.get().records_kept_days is None


@pytest.mark.parametrize("days", ["-1", "36501", "a week", "1.5", "99999999999999999999"])
def test_what_is_no_number_of_days_is_refused(operator: Client, booked: Instance, days: str) -> None:
    answer = operator.post(PAGE, {"records_kept_days": days, "confirmed": days})
    assert re.search(r'class="error" id="id_records_kept_days_error"', answer.content.decode())
    assert not SiteSettings.objects.exists()


def test_only_staff_comes_to_it(client: Client, booked: Instance) -> None:
    client.force_login(get_user_model().objects.create_user("ann"))
    assert client.post(PAGE, {"records_kept_days": "1", "confirmed": "1"}).status_code == 403
    assert records_kept_days() == FOR_EVER


def test_for_ever_is_longer_than_any_time() -> None:
    assert [is_shorter(1, 0), is_shorter(0, 1), is_shorter(0, 0), is_shorter(5, 6), is_shorter(6, 6)] == [
        True, False, False, True, False,
    ]  # fmt: skip


def test_less_than_no_day_is_refused_where_the_program_starts() -> None:
    assert (kept_days(0), kept_days(90)) == (0, 90)
    with pytest.raises(ImproperlyConfigured, match=r"RECORDS_KEPT_DAYS=-1: .* for ever, which is 0"):
        kept_days(-1)
