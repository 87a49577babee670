"""The doctor: each thing an operator can get wrong is found and its remedy told, and looking changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from tests.conftest import KEY
from tests.factories import auth_file, auth_files, list_names
from tests.fake_cpa import FakeCPA, faults
from tests.fake_cpa.self_signed import self_signed
from tests.traffic import SECRETS, fake_cpa, read_from, send_traffic
from usage.collection import sync_instance
from usage.doctor import database, ledger, machine
from usage.doctor.diagnosis import Diagnosis
from usage.doctor.examination import examine
from usage.management.commands import doctor as command
from usage.models import (
    Account,
    CollectionGap,
    CollectionState,
    CollectorEvent,
    CollectorProcess,
    Instance,
    JobRun,
    Reconciliation,
    UsageRecord,
)

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parent.parent


def here() -> dict[str, Diagnosis]:
    """What is found here, by the name of the check."""
    return {diagnosis.check: diagnosis for diagnosis in examine() if not diagnosis.instance}


def at(instance: Instance) -> dict[str, Diagnosis]:
    """What is found at and of a server."""
    return {diagnosis.check: diagnosis for diagnosis in examine() if diagnosis.instance == instance.name}


def levels(found: dict[str, Diagnosis]) -> dict[str, str]:
    return {check: diagnosis.level.value for check, diagnosis in found.items()}


@pytest.fixture
def cpa() -> Iterator[FakeCPA]:
    with fake_cpa() as server:
        yield server


# A server, asked


def test_a_server_that_is_well_passes_every_check(cpa: FakeCPA) -> None:
    instance = read_from(cpa)
    sync_instance(instance)
    found = at(instance)
    assert set(levels(found).values()) == {"ok"}
    assert set(found) == {
        "reachable", "key", "version", "way", "statistics", "retention", "clock", "synced", "names", "gaps",
    }  # fmt: skip
    assert "CLIProxyAPI 7.2.140" in found["version"].text
    assert not any(diagnosis.mend for diagnosis in found.values())


@pytest.mark.parametrize("profile", ["6.0.0", "6.9.49", "6.10.0", "7.2.140"])
def test_looking_takes_no_record_and_changes_nothing(profile: str) -> None:
    with fake_cpa(profile) as cpa:
        send_traffic(cpa)
        instance = read_from(cpa)
        before = Instance.objects.values().get()
        list(examine())
        assert Instance.objects.values().get() == before
        assert not any(model.objects.exists() for model in (CollectorEvent, CollectionState, JobRun, Account))
        assert cpa.handed_out == []
        if profile != "6.10.0":  # by RESP only
            assert sync_instance(instance).counts.new > 0


@pytest.mark.parametrize(
    ("profile", "ways"),
    [
        ("6.3.35", "Usage snapshot (HTTP)."),
        ("6.9.49", "Usage snapshot (HTTP)."),
        ("6.10.0", "Usage queue (RESP)."),
        ("6.10.8", "Usage queue (HTTP)."),
        ("7.0.7", "Usage queue (HTTP) / Subscription (RESP)."),
        ("7.1.17", "Usage queue (HTTP)."),
        ("v7.1.44-0", "Usage queue (HTTP) / Subscription (RESP)."),
        ("dev", "Usage queue (HTTP) / Subscription (RESP)."),
    ],
)
def test_each_version_tells_the_ways_to_its_records(profile: str, ways: str) -> None:
    with fake_cpa(profile) as cpa:
        found = at(read_from(cpa))
    assert found["way"].text.endswith(ways)
    assert found["way"].level == "ok"
    assert ("retention" in found) == (ways != "Usage snapshot (HTTP).")


@pytest.mark.parametrize(
    ("profile", "mode", "level"),
    [
        ("7.1.17", "subscribe", "fail"),
        ("6.9.49", "queue", "fail"),
        ("7.2.140", "legacy", "fail"),
        ("7.2.140", "subscribe", "ok"),
        ("6.9.49", "legacy", "ok"),
    ],
)
def test_a_mode_that_the_version_lacks_is_told(profile: str, mode: str, level: str) -> None:
    with fake_cpa(profile) as cpa:
        instance = read_from(cpa)
        Instance.objects.update(mode=mode)
        way = at(instance)["way"]
    assert way.level == level
    assert (f"/setup/server/{instance.pk}/" in way.mend) == (level == "fail")


def test_a_wrong_key_is_sent_once_however_often_the_doctor_is_asked(cpa: FakeCPA) -> None:
    instance = read_from(cpa)
    instance.management_key = "mgmt-FAKE-wrong"
    instance.save()
    for _ in range(7):
        found = at(instance)
        assert levels(found)["key"] == "fail"
        assert "remote-management.secret-key" in found["key"].mend
    assert [seen.status for seen in cpa.requests] == [401]
    assert sync_instance(Instance.objects.get()).error  # nor does the collector send it
    assert [seen.status for seen in cpa.requests] == [401]
    assert cpa.failed_logins == 1
    instance.management_key = KEY
    instance.save()
    assert levels(at(instance))["key"] == "ok"


def test_the_key_of_the_environment_is_mended_there(cpa: FakeCPA, settings: Any) -> None:
    settings.CPA_BASE_URL, settings.CPA_MANAGEMENT_KEY = f"{cpa.base_url}/", "mgmt-FAKE-wrong"
    instance = read_from(cpa)
    instance.management_key = "mgmt-FAKE-wrong"
    instance.save()
    assert at(instance)["key"].mend.endswith("CPA_MANAGEMENT_KEY.")


@pytest.mark.parametrize("key", ["", "mgmt-FAKE-clé", "mgmt-FAKE\n"])
def test_a_key_that_can_only_be_refused_is_not_sent(cpa: FakeCPA, key: str) -> None:
    instance = read_from(cpa)
    instance.management_key = key
    instance.save()
    assert levels(at(instance))["key"] == "fail"
    assert cpa.requests == []


def test_a_key_that_cannot_be_decrypted_is_told_with_both_remedies(cpa: FakeCPA, settings: Any) -> None:
    instance = read_from(cpa)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "FAKE-another-secret-key", []
    found = at(instance)["key"]
    assert found.level == "fail"
    assert "SECRET_KEY_FALLBACKS" in found.mend
    assert f"/setup/server/{instance.pk}/" in found.mend
    assert cpa.requests == []


def test_a_ban_tells_its_end_and_the_doctor_does_not_prolong_it(cpa: FakeCPA) -> None:
    for _ in range(5):
        httpx.get(f"{cpa.base_url}/v0/management/config", headers={"X-Management-Key": "FAKE-wrong"})
    instance = read_from(cpa)
    before = Instance.objects.values().get()
    for _ in range(3):
        found = at(instance)
        assert levels(found)["ban"] == "fail"
        assert "UTC" in found["ban"].text
    assert Instance.objects.values().get() == before
    cpa.clock.advance(30 * 60)
    assert levels(at(instance))["key"] == "ok"


def test_remote_access_that_is_off_is_told(cpa: FakeCPA) -> None:
    cpa.faults.next(faults.server_error(403, b'{"error":"remote management disabled"}'))
    assert "allow-remote: true" in at(read_from(cpa))["remote"].mend


@pytest.mark.parametrize("profile", ["6.10.8", "7.2.140"])
def test_management_that_is_off_is_told(profile: str) -> None:
    with fake_cpa(profile) as cpa:
        cpa.home_mode = True
        assert "secret-key" in at(read_from(cpa))["management"].mend


def test_statistics_that_are_off_are_told() -> None:
    with fake_cpa(statistics=False) as cpa:
        found = at(read_from(cpa))["statistics"]
    assert found.level == "fail"
    assert "usage-statistics-enabled: true" in found.mend


@pytest.mark.parametrize(("seconds", "level"), [(5, "warn"), (29, "warn"), (30, "ok"), (3600, "ok")])
def test_a_retention_under_three_intervals_is_told(seconds: int, level: str, settings: Any) -> None:
    settings.POLL_SECONDS = 10
    with fake_cpa(retention_seconds=seconds) as cpa:
        found = at(read_from(cpa))["retention"]
    assert found.level == level
    assert f"{seconds} s" in found.text
    assert ("redis-usage-queue-retention-seconds: 3600" in found.mend) == (level == "warn")


@pytest.mark.parametrize(("seconds", "words"), [(600, "ahead of ours"), (-3600, "behind ours")])
def test_a_clock_that_is_wrong_is_told(cpa: FakeCPA, seconds: int, words: str) -> None:
    cpa.clock.advance(seconds)
    found = at(read_from(cpa))["clock"]
    assert found.level == "warn"
    assert words in found.text


def test_a_server_that_is_not_there_is_told_with_what_to_try(instance: Instance) -> None:
    found = at(instance)
    assert found["reachable"].level == "fail"
    assert "curl -i http://127.0.0.1:9" in found["reachable"].mend
    assert "version" not in found


@pytest.mark.parametrize("url", ["127.0.0.1:8317", "localhost:8317", "ftp://cpa.example", "http://"])
def test_what_is_no_url_is_told_and_not_asked(instance: Instance, url: str) -> None:
    Instance.objects.update(base_url=url)
    assert at(instance)["address"].level == "fail"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (faults.not_json(), "text/html"),
        (faults.html_page(502), "502"),
        (faults.redirect("https://elsewhere.example/login"), "elsewhere.example"),
        (faults.server_error(500), "500"),
    ],
)
@pytest.mark.parametrize("path", ["usage-statistics-enabled", "config"])
def test_an_answer_that_is_not_of_cpa_is_told(cpa: FakeCPA, fault: faults.Fault, words: str, path: str) -> None:
    cpa.faults.next(fault, path=path)
    found = at(read_from(cpa))["answer"]
    assert found.level == "fail"
    assert words in found.text


def test_a_certificate_that_nobody_vouches_for_is_told_and_so_is_one_that_is_not_checked(tmp_path: Path) -> None:
    context, _authority = self_signed(tmp_path)
    with fake_cpa(tls=context) as cpa:
        instance = read_from(cpa)
        refused = at(instance)
        assert "SSL_CERT_FILE" in refused["tls"].mend
        assert levels(refused)["tls"] == "fail"
        Instance.objects.update(verify_tls=False)
        assert levels(at(instance))["tls"] == "warn"


def test_tls_where_cpa_has_none_is_told(cpa: FakeCPA) -> None:
    instance = read_from(cpa)
    Instance.objects.update(base_url=cpa.base_url.replace("http:", "https:"))
    assert "begins with http://" in at(instance)["tls"].mend


def test_a_server_that_is_switched_off_is_left_alone(cpa: FakeCPA) -> None:
    instance = read_from(cpa)
    Instance.objects.update(enabled=False)
    assert levels(at(instance)) == {"enabled": "info"}
    assert cpa.requests == []


def test_no_server_at_all_is_told() -> None:
    assert here()["servers"].level == "warn"


# A server, by what the database knows


def _gap(instance: Instance, cause: str, **fields: Any) -> CollectionGap:
    now = timezone.now()
    return CollectionGap.objects.create(
        instance=instance, cause=cause, **({"since": now - timedelta(hours=2), "until": now} | fields)
    )


def test_a_second_reader_is_named_until_somebody_acknowledges(instance: Instance) -> None:
    gap = _gap(instance, "second_reader")
    found = at(instance)
    assert levels(found)["second_reader"] == "fail"
    assert "Subscription" in found["second_reader"].mend
    assert levels(found)["gaps"] == "ok"
    gap.acknowledged_at = timezone.now()
    gap.save()
    assert "second_reader" not in at(instance)


def test_gaps_are_counted_with_the_cause_of_the_last(instance: Instance) -> None:
    old = timezone.now() - timedelta(days=8)
    _gap(instance, "away", since=old, until=old)
    assert at(instance)["gaps"].level == "ok"
    _gap(instance, "restarted", until=timezone.now() - timedelta(hours=1))
    _gap(instance, "dropped")
    found = at(instance)["gaps"]
    assert found.level == "warn"
    assert "2 gaps" in found.text
    assert "dropped the subscription" in found.text


@pytest.mark.parametrize(("missing", "level"), [(3, "warn"), (2, "ok")])
def test_what_cpa_counted_and_nobody_booked_is_told(instance: Instance, missing: int, level: str) -> None:
    list_names(instance, auth_files=auth_files(auth_file("a.json", "codex"), auth_file("b.json", "codex")))
    now = timezone.now()
    for account, lost in zip(Account.objects.all(), (missing, 0), strict=True):
        Reconciliation.objects.create(
            account=account, since=now, checked_at=now, counted=60, booked=50 - lost, missing=lost, unrecorded=10,
            counter=60, sum_booked=50, day=now, ceiling=0,
        )  # fmt: skip
    found = at(instance)["completeness"]
    assert found.level == level
    assert f"{missing} never reached us" in found.text
    assert f"{100 - missing}" in found.text


def test_what_went_with_restarts_is_not_complete_either(instance: Instance) -> None:
    """Seen on a real server: 1,700 of 10,000 were lost by 20 restarts, which gaps told, and completeness was 100%."""
    list_names(instance, auth_files=auth_files(auth_file("a.json", "codex")))
    now = timezone.now()
    Reconciliation.objects.create(
        account=Account.objects.get(), since=now, checked_at=now, counted=90, booked=90, missing=0, unrecorded=0,
        counter=60, sum_booked=50, day=now, ceiling=0,
    )  # fmt: skip
    for start, is_measured in ((1, False), (2, True), (-60, False)):
        since = now + timedelta(minutes=start)
        until = since + timedelta(minutes=1)
        CollectionGap.objects.create(
            instance=instance,
            cause=CollectionGap.Cause.RESTARTED,
            since=since,
            until=until,
            lost=10,
            is_measured=is_measured,
        )
    found = at(instance)["completeness"]
    assert (found.level, "about 10 more went with its restarts: 90.0% complete" in found.text) == ("warn", True)
    assert "subscription" in found.mend


def test_names_that_are_old_or_were_never_fetched_are_told(instance: Instance) -> None:
    assert "names" not in at(instance)  # it was never read at all
    Instance.objects.update(synced_at=timezone.now())
    assert at(instance)["names"].level == "warn"
    Instance.objects.update(names_at=timezone.now() - timedelta(hours=2))
    assert "2 h ago" in at(instance)["names"].text
    Instance.objects.update(names_at=timezone.now())
    assert at(instance)["names"].text == "It lists 0 accounts."


def test_a_server_that_is_read_too_seldom_is_told(instance: Instance, settings: Any) -> None:
    Instance.objects.update(synced_at=timezone.now() - timedelta(seconds=61))
    assert at(instance)["synced"].level == "warn"
    settings.POLL_SECONDS = 30
    assert at(instance)["synced"].level == "ok"


def test_what_the_collector_said_last_is_told(cpa: FakeCPA) -> None:
    instance = read_from(cpa)
    instance.enter(Instance.State.DISK_FULL, reason="the disk is full")
    assert "the disk is full" in at(instance)["state"].text


# Here


def test_settings_that_endanger_the_pages_are_told(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    assert (here()["debug"].level, here()["hosts"].level) == ("ok", "info")
    settings.DEBUG, settings.ALLOWED_HOSTS, settings.HTTPS = True, ["meter.example", "localhost"], False
    assert (here()["debug"].level, here()["hosts"].level, here()["https"].level) == ("warn", "ok", "warn")
    settings.HTTPS = True
    assert "https" not in here()
    settings.ALLOWED_HOSTS = ["*"]
    assert here()["hosts"].level == "warn"


def test_the_time_zone_is_told(settings: Any) -> None:
    assert "TIME_ZONE=" in here()["time_zone"].mend
    settings.TIME_ZONE = "Asia/Shanghai"
    assert "Asia/Shanghai" in here()["time_zone"].text
    assert here()["time_zone"].mend == ""


def test_half_a_server_in_the_environment_is_told(settings: Any) -> None:
    settings.CPA_BASE_URL = "http://127.0.0.1:8317"
    assert here()["environment"].level == "fail"
    settings.CPA_BASE_URL, settings.CPA_MANAGEMENT_KEY = "", KEY
    found = here()["environment"]
    assert found.level == "warn"
    assert KEY not in f"{found}"


@pytest.mark.parametrize(
    ("total", "free", "level"),
    [(100, 50, "ok"), (100, 9, "warn"), (4_000, 11, "ok"), (2, 0.4, "warn"), (100, 0.05, "fail")],
)
def test_a_disk_that_fills_up_is_told(monkeypatch: Any, settings: Any, total: float, free: float, level: str) -> None:
    settings.SPOOL_FREE_BYTES = 64 * 2**20
    usage = type("Usage", (), {"total": int(total * 10**9), "free": int(free * 10**9)})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _folder: usage)
    assert here()["disk"].level == level


def test_a_spool_that_cannot_be_written_to_is_told(settings: Any) -> None:
    assert here()["spool"].level == "ok"
    assert not settings.SPOOL_DIR.exists()
    settings.SPOOL_DIR.write_text("a file where the folder should be")
    assert here()["spool"].level == "fail"


def test_what_waits_in_the_spool_is_told_and_left_there(settings: Any) -> None:
    assert here()["backlog"].level == "ok"
    folder = settings.SPOOL_DIR / "1"
    folder.mkdir(parents=True)
    (folder / ".presence").write_bytes(b"reading")
    (folder / "2-1.queue").write_bytes(b"")
    assert here()["backlog"].level == "ok"
    (folder / "1-1.queue").write_bytes(b"[]" * 1024)
    assert here()["backlog"].level == "info"
    moment = (timezone.now() - timedelta(minutes=6)).timestamp()
    os.utime(folder / "1-1.queue", (moment, moment))
    found = here()["backlog"]
    assert found.level == "warn"
    assert "2.0\xa0KB" in found.text
    assert "6 m ago" in found.text
    assert len(list(folder.iterdir())) == 3


def test_a_collector_that_does_not_run_is_told(instance: Instance) -> None:
    assert here()["collector"].text == "No collector has run yet."
    now = timezone.now()
    process = CollectorProcess.objects.create(name="host 1", role="leading", started_at=now, seen_at=now)
    assert here()["collector"].level == "ok"
    process.seen_at = now - timedelta(minutes=2)
    process.save()
    CollectorProcess.objects.create(name="host 2", role="standby", started_at=now, seen_at=now)
    found = here()["collector"]
    assert found.level == "fail"
    assert "2 m ago" in found.text
    assert "manage.py collect" in found.mend


def test_a_housekeeping_that_nobody_does_or_that_failed_is_told() -> None:
    assert here()["housekeeping"].level == "info"
    call_command("housekeeping", stdout=StringIO())
    assert here()["housekeeping"].level == "ok"
    JobRun.objects.filter(job="names").update(started_at=timezone.now() - timedelta(hours=3))
    found = here()["housekeeping"]
    assert found.level == "warn"
    assert "Names of accounts" in found.text
    JobRun.objects.filter(job="names").update(started_at=timezone.now())
    JobRun.objects.filter(job="verify").update(outcome="failed", result="2 sums differ")
    found = here()["housekeeping"]
    assert found.level == "fail"
    assert "2 sums differ" in found.text
    assert "--job verify" in found.mend


def _crontab(folder: Path, text: str, status: int = 0) -> str:
    """Return a command that lists `text`, as `crontab -l` does."""
    (folder / "crontab.txt").write_text(text)
    script = folder / "crontab"
    script.write_text(f"#!/bin/sh\ncat {folder}/crontab.txt\nexit {status}\n")
    script.chmod(0o755)
    return str(script)


def test_cron_is_told_and_so_are_lines_of_an_older_version(settings: Any, tmp_path: Path) -> None:
    from django_crontab.crontab import Crontab

    settings.CRONTAB_EXECUTABLE = str(tmp_path / "nowhere")
    assert here()["cron"].level == "info"
    settings.CRONTAB_EXECUTABLE = _crontab(tmp_path, "", status=1)
    assert here()["cron"].level == "info"
    ours = Crontab(verbosity=0, readonly=True)
    ours.add_jobs()
    settings.CRONTAB_EXECUTABLE = _crontab(tmp_path, "0 1 * * * true\n" + "".join(ours.crontab_lines))
    assert here()["cron"].level == "ok"
    settings.CRONJOBS = [("*/7 * * * *", "usage.cron.housekeeping")]
    found = here()["cron"]
    assert found.level == "warn"
    assert "crontab add" in found.mend


# The database


def test_the_database_is_told_by_its_engine() -> None:
    assert ("SQLite" if connection.vendor == "sqlite" else "PostgreSQL") in here()["database"].text
    assert here()["database"].level == here()["migrations"].level == "ok"


def test_missing_migrations_are_told_and_end_the_look_at_collection(instance: Instance) -> None:
    MigrationRecorder.Migration.objects.filter(app="usage").exclude(name__startswith="0001").delete()
    found = here()
    assert found["migrations"].level == "fail"
    assert "usage.0002" in found["migrations"].text
    assert "collector" not in found
    assert at(instance) == {}


def test_a_database_of_a_newer_version_is_told() -> None:
    MigrationRecorder.Migration.objects.create(app="usage", name="9999_tomorrow")
    assert "9999_tomorrow" in here()["migrations"].text
    assert here()["migrations"].level == "fail"


@pytest.mark.parametrize(("kind", "level"), [("nfs4", "fail"), ("ext4", None)])
def test_sqlite_on_a_disk_of_another_machine_is_told(monkeypatch: Any, tmp_path: Path, kind: str, level: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("of SQLite")
    mounts = tmp_path / "mounts"
    folder = str(database._file().resolve().parent).replace("-", r"\055")
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/share {folder} {kind} rw 0 0\n")
    monkeypatch.setattr(database, "_MOUNTS", mounts)
    found = here().get("file_system")
    assert (found.level if found else None) == level


def _doctor_of(url: str, tmp_path: Path, *arguments: str) -> tuple[list[dict[str, str]], int]:
    environment = os.environ | {"DATABASE_URL": url, "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "doctor", "--json", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.stderr == ""
    return json.loads(ended.stdout), ended.returncode


def test_a_database_that_does_not_exist_is_told_and_not_made(tmp_path: Path) -> None:
    found, status = _doctor_of(f"sqlite:///{tmp_path}/none.sqlite3", tmp_path)
    assert [one["level"] for one in found if one["check"] == "database"] == ["fail", "info"]
    assert status == 1
    assert not (tmp_path / "none.sqlite3").exists()


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    found, status = _doctor_of("postgres://meter:FAKE-password@127.0.0.1:9/meter", tmp_path)
    (refused, _skipped) = [one for one in found if one["check"] == "database"]
    assert "DATABASE_URL" in refused["mend"]
    assert "FAKE-password" not in json.dumps(found)
    assert status == 1


# All together


@pytest.mark.parametrize("error", [OSError("disk"), OperationalError("database"), ValueError("value")])
def test_a_check_that_breaks_is_told_and_stops_no_other(cpa: FakeCPA, monkeypatch: Any, error: Exception) -> None:
    def broken(_instance: Instance) -> Iterator[Diagnosis]:
        raise error

    monkeypatch.setattr(ledger, "CHECKS", (broken, ledger.gaps))
    found = at(read_from(cpa))
    assert found["doctor"].text == f"A check could not be made: {type(error).__name__}: {error}"
    assert {"reachable", "clock", "gaps"} < set(found)


def _run(*arguments: str) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command("doctor", *arguments, stdout=out)
    except SystemExit as stop:
        return out.getvalue(), int(stop.code or 0)
    return out.getvalue(), 0


def test_the_command_prints_a_line_for_each_check_and_its_remedy_below(instance: Instance) -> None:
    text, status = _run("--language", "en")
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("fail  Test CPA: no connection"))
    assert lines[at + 1].startswith("      → Try from this machine")
    assert "ok    DEBUG is off." in lines
    assert lines[-1] == f"Failures: {text.count('fail  ')}, warnings: {text.count('warn  ')}."
    assert status == 1


def test_the_command_ends_well_when_nothing_fails(cpa: FakeCPA, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    instance = read_from(cpa)
    sync_instance(instance)
    now = timezone.now()
    CollectorProcess.objects.create(name="host 1", role="leading", started_at=now, seen_at=now)
    text, status = _run("--language", "en")
    assert "Failures: 0, warnings: 0." in text
    assert status == 0


def test_as_json_each_check_has_its_level_its_words_and_its_remedy(instance: Instance) -> None:
    text, status = _run("--json", "--language", "en")
    found = json.loads(text)
    assert all(set(one) == {"level", "check", "instance", "text", "mend"} for one in found)
    assert {one["level"] for one in found} <= {"ok", "info", "warn", "fail"}
    assert next(one["check"] for one in found if one["instance"] == "Test CPA") == "reachable"
    assert all(one["mend"] for one in found if one["level"] in ("warn", "fail"))
    assert status == 1


def test_no_secret_is_printed(cpa: FakeCPA) -> None:
    send_traffic(cpa)
    instance = read_from(cpa)
    sync_instance(instance)
    texts = [_run()[0], _run("--json")[0]]
    instance.management_key = "mgmt-FAKE-wrong-0000001"
    instance.save()
    texts += [_run()[0], _run("--json")[0]]
    assert not any(secret in text for secret in (*SECRETS, "mgmt-FAKE-wrong-0000001") for text in texts)
    assert UsageRecord.objects.exists()


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh-hans"),
        ({"LANG": "zh_TW"}, "zh-hans"),
        ({"LANG": "en_GB.UTF-8@euro"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh-hans"),
    ],
)
def test_the_language_is_that_of_the_terminal(monkeypatch: Any, environment: dict[str, str], language: str) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert command._language_of_environment() == language


def test_a_language_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(CommandError, match="there is no language 'tlh'; there are: en, zh-hans"):
        call_command("doctor", "--language", "tlh")
