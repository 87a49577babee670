"""The housekeeping: each job does its work, when it is due, once, and its run says how it ended."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_crontab.crontab import Crontab

from tests.conftest import KEY, process_environment
from tests.factories import auth_file, auth_files, book, list_names, payload
from tests.fake_cpa import Tokens
from tests.traffic import fake_cpa, read_from, send_traffic, shown
from usage.collection import sync_instance
from usage.cron import housekeeping
from usage.housekeeping import runner
from usage.housekeeping.jobs import JOBS, Job, JobFailed, Report, distributions, gaps, names, prices, prune, verify
from usage.housekeeping.runner import run_due, run_now, standing
from usage.ingest import distribution
from usage.models import (
    CollectionGap,
    CollectorEvent,
    CollectorProcess,
    Instance,
    JobRun,
    ModelPrice,
    UsageDaily,
    UsageDistribution,
    UsageRecord,
)

pytestmark = pytest.mark.django_db
Outcome, Driver = JobRun.Outcome, JobRun.Driver
HOUR = timedelta(hours=1)


def _job(run: Any = lambda: "3 things done", name: str = "test", **fields: Any) -> Job:
    return Job(name, "Test", lambda: Report(run()), **({"every": HOUR} | fields))


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make these the jobs that there are."""
    return lambda *jobs: monkeypatch.setattr(runner, "JOBS", jobs)


def _fail(error: Exception) -> str:
    raise error


# When, and once


def test_a_run_is_recorded_with_its_driver_its_times_and_its_outcome(only: Any) -> None:
    only(_job())
    before = timezone.now()
    assert run_due(Driver.CRON, before)
    run = JobRun.objects.get()
    assert (run.job, run.driver, run.outcome, run.result) == ("test", "cron", "ok", "3 things done")
    assert before <= run.started_at <= run.finished_at <= timezone.now()


def test_a_job_is_due_again_after_its_time_whoever_ran_it_last(only: Any) -> None:
    only(_job())
    now = timezone.now()
    assert len(run_due(Driver.CRON, now)) == 1
    assert run_due(Driver.COLLECTOR, now + timedelta(minutes=59)) == []
    assert len(run_due(Driver.COLLECTOR, now + timedelta(minutes=61))) == 1
    assert list(JobRun.objects.values_list("driver", flat=True)) == ["collector", "cron"]


def test_a_job_keeps_its_rhythm_when_it_fails(only: Any) -> None:
    only(_job(lambda: _fail(JobFailed(Report("2 sums differ")))))
    now = timezone.now()
    run_due(Driver.CRON, now)
    assert run_due(Driver.CRON, now + timedelta(minutes=59)) == []
    assert len(run_due(Driver.CRON, now + timedelta(minutes=61))) == 1


def test_no_job_begins_after_we_were_told_to_stop(only: Any) -> None:
    stopping = threading.Event()
    only(_job(lambda: str(stopping.set())), _job(name="later"))
    assert [run.job for run in run_due(Driver.COLLECTOR, timezone.now(), stopping.is_set)] == ["test"]
    assert standing(_job(name="later")).last is None


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_each_job_is_run_by_one(only: Any) -> None:
    together = threading.Barrier(6)
    ran: list[str] = []
    only(*(_job(lambda name=name: ran.append(name) or "", name=name) for name in "abcde"))

    def work() -> None:
        try:
            together.wait()
            run_due(Driver.COLLECTOR, timezone.now())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == list("abcde")
    assert JobRun.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_processes_share_the_work_too(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "housekeeping", "--skip-checks"]
    processes = [subprocess.Popen(command, env=process_environment(tmp_path), text=True, stdout=subprocess.PIPE) for _ in range(3)]  # fmt: skip
    printed = "".join(process.communicate()[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(JobRun.objects.values_list("job", flat=True)) == sorted(job.name for job in JOBS)
    assert printed.count(": Done, ") == len(JOBS)


def test_a_job_that_is_being_run_is_not_begun_again_not_even_by_hand() -> None:
    job = _job()
    JobRun.objects.create(job="test", driver="cron", started_at=timezone.now() - timedelta(minutes=59))
    assert run_now(job, Driver.COMMAND) is None
    assert JobRun.objects.count() == 1


def test_a_run_that_died_is_called_failed_by_the_next(only: Any) -> None:
    only(_job())
    dead = JobRun.objects.create(job="test", driver="collector", started_at=timezone.now() - timedelta(minutes=61))
    assert [run.outcome for run in run_due(Driver.COLLECTOR, timezone.now())] == ["ok"]
    dead.refresh_from_db()
    assert (dead.outcome, dead.result) == ("failed", "its process ended before it did")
    assert dead.finished_at is not None


def test_a_long_job_is_given_its_time(only: Any) -> None:
    only(_job(longest=timedelta(hours=6)))
    JobRun.objects.create(job="test", driver="cron", started_at=timezone.now() - timedelta(hours=5))
    assert run_due(Driver.COLLECTOR, timezone.now()) == []


# What goes wrong


def test_a_job_that_raises_is_recorded_and_logged_and_stops_no_other(only: Any, caplog: Any) -> None:
    only(_job(lambda: _fail(ZeroDivisionError("no records to divide by"))), _job(name="next"))
    failed, fine = run_due(Driver.COLLECTOR, timezone.now())
    assert (failed.outcome, failed.result) == ("failed", "ZeroDivisionError: no records to divide by")
    assert JobRun.objects.get(job="test").finished_at is not None
    assert fine.outcome == "ok"
    assert "Traceback" in caplog.text
    assert "no records to divide by" in caplog.text


def test_no_secret_of_an_error_is_stored_or_logged(only: Any, caplog: Any, settings: Any) -> None:
    settings.CPA_MANAGEMENT_KEY = KEY
    only(
        _job(lambda: _fail(OSError(f"{KEY} was refused at http://cpa.example/?key=FAKE-secret-1 with sk-FAKE-0000001")))
    )
    (run,) = run_due(Driver.COLLECTOR, timezone.now())
    for text in (run.result, caplog.text):
        assert "was refused at" in text
        assert not any(secret in text for secret in (KEY, "FAKE-secret-1", "sk-FAKE-0000001"))


def test_what_a_job_found_to_mend_is_its_result_and_no_traceback(only: Any, caplog: Any) -> None:
    only(_job(lambda: _fail(JobFailed(Report("2 sums differ")))))
    (run,) = run_due(Driver.COLLECTOR, timezone.now())
    assert (run.outcome, run.result) == ("failed", "2 sums differ")
    assert "Traceback" not in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_run_that_a_person_interrupts_has_failed(only: Any) -> None:
    only(_job(lambda: (_ for _ in ()).throw(KeyboardInterrupt)))
    with pytest.raises(KeyboardInterrupt):
        run_due(Driver.COMMAND, timezone.now())
    run = JobRun.objects.get()
    assert (run.outcome, run.result) == ("failed", "interrupted")


@pytest.mark.django_db(transaction=True)
def test_an_error_of_the_database_leaves_it_usable_for_the_record(only: Any, instance: Instance) -> None:
    only(_job(lambda: str(Instance.objects.create(name=instance.name, base_url="http://127.0.0.1:8"))))
    (run,) = run_due(Driver.COLLECTOR, timezone.now())
    assert run.result.startswith("IntegrityError: ")
    assert JobRun.objects.get().outcome == "failed"


# The drivers


def test_cron_runs_what_is_due_and_leaves_nothing_for_the_collector() -> None:
    housekeeping()
    assert {run.job: (run.driver, run.outcome) for run in JobRun.objects.all()} == {
        job.name: ("cron", "ok") for job in JOBS
    }
    assert run_due(Driver.COLLECTOR, timezone.now()) == []


def test_the_crontab_leads_to_it(settings: Any) -> None:
    settings.CRONTAB_LOCK_JOBS = False  # its lock file is the same for all on this machine
    crontab = Crontab(verbosity=0, readonly=True)
    crontab.add_jobs()
    (line,) = crontab.crontab_lines
    crontab.run_job(line.split("crontab run ")[1].split()[0])
    assert JobRun.objects.filter(driver="cron", outcome="ok").count() == len(JOBS)


def _run(*arguments: str) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("housekeeping", *arguments, stdout=out)
    except SystemExit as stop:
        return out.getvalue(), int(stop.code or 0)
    return out.getvalue(), 0


def test_the_command_runs_what_is_due_and_then_nothing() -> None:
    text, status = _run()
    assert text.splitlines()[-1] == "verify: Done, 0 sums differ from the records"
    assert len(text.splitlines()) == len(JOBS)
    assert status == 0
    assert _run() == ("Nothing is due.\n", 0)


def test_the_command_runs_one_job_due_or_not() -> None:
    assert _run("--job", "prices") == ("prices: Done, 0 records priced\n", 0)
    assert _run("--job", "prices") == ("prices: Done, 0 records priced\n", 0)
    assert set(JobRun.objects.values_list("job", "driver")) == {("prices", "command")}
    with pytest.raises(CommandError, match="'dust'"):
        call_command("housekeeping", "--job", "dust")


def test_the_command_fails_for_cron_when_a_job_failed(instance: Instance) -> None:
    book(instance, payload())
    UsageDaily.objects.update(requests=2)
    text, status = _run("--job", "verify")
    assert "verify: Failed, " in text
    assert status == 1


def test_the_command_refuses_a_job_that_is_being_run() -> None:
    JobRun.objects.create(job="verify", driver="cron", started_at=timezone.now())
    with pytest.raises(CommandError, match="is being run by another process"):
        call_command("housekeeping", "--job", "verify")


def test_the_list_tells_the_last_run_and_the_next_and_runs_nothing() -> None:
    at = datetime.fromisoformat("2026-11-24T06:00:00+00:00")
    JobRun.objects.create(
        job="verify", driver="cron", started_at=at, finished_at=at, outcome="failed", result="2 sums differ"
    )
    text, status = _run("--list")
    assert "verify   Failed 2026-11-24 06:00:00 UTC by cron, next 2026-11-25 06:00:00 UTC: 2 sums differ" in text
    assert text.count("never run, next at once") == len(JOBS) - 1
    assert status == 0
    assert JobRun.objects.count() == 1


# The jobs


def _age_names(instance: Instance, age: timedelta, state: str = "ok") -> None:
    Instance.objects.filter(pk=instance.pk).update(names_at=timezone.now() - age, state=state)


def test_names_that_nobody_keeps_fresh_are_fetched_and_name_what_came_before() -> None:
    with fake_cpa() as cpa:
        dave = cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.credentials.remove(dave)  # used, but listed nowhere yet
        cpa.emit(dave, "gpt-5.4", tokens=Tokens(uncached=2))
        instance = read_from(cpa)
        sync_instance(instance)
        cpa.credentials.files.append(dave)
        assert names().text == "0 servers asked, 0 sources resolved, 0 records named"  # the sync just did
        _age_names(instance, HOUR)
        assert names().text == "1 servers asked, 1 sources resolved, 1 records named"
    assert set(shown()) == {("codex", "dave@example.com")}


def test_sources_are_named_by_what_is_known_without_asking(instance: Instance) -> None:
    book(instance, payload(auth_index="00000000000000d1"))
    list_names(instance, auth_files=auth_files(auth_file("dave.json", "codex", auth_index="00000000000000d1")))
    assert names().text == "0 servers asked, 1 sources resolved, 1 records named"


def test_a_server_in_trouble_is_not_asked_and_one_that_fails_is_named_and_stops_no_other(instance: Instance) -> None:
    with fake_cpa() as cpa, fake_cpa() as blocked:
        fine, troubled = read_from(cpa), read_from(blocked)
        _age_names(instance, HOUR)  # nothing listens there
        _age_names(fine, HOUR)
        _age_names(troubled, HOUR, state="banned")
        with pytest.raises(JobFailed, match=r"^Test CPA: no connection"):
            names()
        assert sum(seen.path.endswith("/auth-files") for seen in cpa.requests) == 1
        assert blocked.requests == []


def _traffic_before(instance: Instance, since: datetime, per_hour: int, hours: int) -> None:
    start = since.replace(minute=0, second=0, microsecond=0) - hours * HOUR
    book(
        instance,
        *(payload(start + hour * HOUR + timedelta(seconds=n), request_id=f"{n}") for hour in range(hours) for n in range(per_hour)),
    )  # fmt: skip


def _gap(instance: Instance, since: datetime, length: timedelta, **fields: Any) -> CollectionGap:
    return CollectionGap.objects.create(
        instance=instance, since=since, until=since + length, **({"cause": "away"} | fields)
    )


def test_a_gap_is_sized_by_the_rate_before_it(instance: Instance) -> None:
    since = timezone.now() - 5 * HOUR
    _traffic_before(instance, since, per_hour=30, hours=4)
    gap = _gap(instance, since, timedelta(minutes=40))
    assert gaps().text == "1 gaps sized"
    gap.refresh_from_db()
    assert (gap.lost, gap.is_measured) == (20, False)
    assert gaps().text == "0 gaps sized"


def test_what_was_booked_of_a_gap_after_all_is_no_part_of_its_size(instance: Instance) -> None:
    since = timezone.now() - 5 * HOUR
    _traffic_before(instance, since, per_hour=30, hours=4)
    gap = _gap(instance, since, timedelta(minutes=40))
    book(instance, *(payload(since + timedelta(minutes=n), request_id=f"late {n}") for n in range(6)))
    assert gaps().text == "1 gaps sized"
    gap.refresh_from_db()
    assert gap.lost == 20 - 6


def test_what_nobody_knows_is_left_unknown_and_what_is_known_as_it_is(instance: Instance) -> None:
    now = timezone.now()
    _traffic_before(instance, now - 5 * HOUR, per_hour=30, hours=4)
    other = Instance.objects.create(name="Other", base_url="http://127.0.0.1:10")
    rows = [
        _gap(other, now - 5 * HOUR, HOUR),  # had no traffic
        _gap(instance, now - timedelta(days=3), HOUR),  # before all traffic
        _gap(instance, now - 2 * HOUR, 2 * HOUR - timedelta(minutes=9)),  # ended just now
        _gap(instance, now - 3 * HOUR, HOUR, cause="dropped", lost=7, is_measured=True),
        _gap(instance, now - 3 * HOUR, HOUR, cause="killed", lost=0),
    ]
    assert gaps().text == "0 gaps sized"
    assert [CollectionGap.objects.get(pk=row.pk).lost for row in rows] == [None, None, None, 7, 0]


def test_records_get_the_price_that_was_added_since(instance: Instance) -> None:
    book(instance, payload(model="mystery-model"))
    assert prices().text == "0 records priced"
    ModelPrice.objects.create(pattern="mystery-*", input=1, output=2)
    assert prices().text == "1 records priced"
    assert UsageRecord.objects.get().cost_nanousd is not None


def test_sums_that_differ_fail_the_proof_and_say_how_to_mend_it(instance: Instance) -> None:
    book(instance, payload())
    assert verify().text == "0 sums differ from the records"
    UsageDaily.objects.update(requests=2)
    with pytest.raises(JobFailed, match=r"usage_usagedaily at 2026-08-22 00:00 UTC; `manage.py rebuild_rollups`"):
        verify()


def test_times_of_answers_are_taken_in_once_there_are_many(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    book(instance, *(payload(request_id=str(number), latency_ms=100) for number in range(30)))
    assert distributions().text == "0 records taken in"
    monkeypatch.setattr(distribution, "_WORTH_FOLDING", 20)
    assert distributions().text == "30 records taken in"
    assert verify().text == "0 sums differ from the records"
    UsageDistribution.objects.filter(kind=0).delete()
    with pytest.raises(JobFailed, match=r"usage_usagedistribution at 2026-08-22 00:00 UTC"):
        verify()


def test_what_only_grows_is_pruned_and_the_rest_kept(instance: Instance) -> None:
    now = timezone.now()
    for age in (timedelta(minutes=1), timedelta(days=89), timedelta(days=91)):
        CollectorEvent.objects.create(instance=instance, at=now - age, level="ok", message="Collecting")
        JobRun.objects.create(job="names", driver="cron", started_at=now - age, outcome="ok")
        CollectorProcess.objects.create(name=f"host {age}", role="leading", started_at=now - age, seen_at=now - age)
        for row in (
            AccessAttempt.objects.create(username=f"{age}", failures_since_start=1),
            AccessLog.objects.create(username=f"{age}"),
        ):
            type(row).objects.filter(pk=row.pk).update(attempt_time=now - age)
        Session.objects.create(session_key=f"{age}", expire_date=now + timedelta(days=90) - age)
    book(instance, payload())
    gap = _gap(instance, now - timedelta(days=300), HOUR)
    assert prune().text == "1 events, 1 job runs, 2 collectors, 1 sessions, 2 failed logins, 1 logins deleted"
    kept = [CollectorEvent, JobRun, CollectorProcess, Session, AccessAttempt, AccessLog]
    assert [model.objects.count() for model in kept] == [2, 2, 1, 2, 1, 2]
    assert UsageRecord.objects.count() == 1
    assert CollectionGap.objects.get() == gap


def test_the_work_of_all_jobs_fits_into_a_collection_that_goes_on() -> None:
    with fake_cpa() as cpa:
        expected = send_traffic(cpa)
        sync_instance(read_from(cpa))
        runs = run_due(Driver.COLLECTOR, timezone.now())
    assert [(run.job, run.outcome) for run in runs] == [(job.name, "ok") for job in JOBS]
    assert shown() == expected
