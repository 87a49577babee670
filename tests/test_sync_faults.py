"""Whatever a server or a proxy answers: a clear error or a quarantined payload, and the rest is stored (invariant 7)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import timezone

from tests.conftest import KEY
from tests.fake_cpa import FakeCPA, Tokens, faults
from tests.fake_cpa.garbage import ELEMENTS
from tests.fake_cpa.self_signed import self_signed
from tests.traffic import fake_cpa, read_from, report_of_all, send_traffic, shown
from usage.collection import sync_all, sync_instance
from usage.ingest import rollup
from usage.ingest.spool import Spool
from usage.models import FailureText, Instance, QuarantinedPayload, UsageRecord
from usage.secrets import decrypt
from usage.upstream import refusals

State = Instance.State
pytestmark = pytest.mark.django_db


def _emit(cpa: FakeCPA, count: int, **details: Any) -> None:
    for _ in range(count):
        cpa.emit(None, "gpt-5.4", tokens=Tokens(uncached=5), **details)


def test_a_wrong_key_is_sent_once_and_never_again() -> None:
    with fake_cpa() as cpa:
        instance = read_from(cpa)
        instance.management_key = "mgmt-FAKE-wrong"
        instance.save()
        errors = [sync_instance(Instance.objects.get()).error for _ in range(3)]
        assert [seen.status for seen in cpa.requests] == [401]
        assert all("the management key was refused" in error for error in errors)
        instance.refresh_from_db()
        assert instance.state == State.KEY_REJECTED
        instance.management_key = KEY
        instance.save()
        assert sync_instance(Instance.objects.get()).error == ""


def test_a_ban_is_waited_out_as_the_server_says() -> None:
    with fake_cpa() as cpa:
        for _ in range(5):
            httpx.get(f"{cpa.base_url}/v0/management/config", headers={"X-Management-Key": "FAKE-wrong"})
        instance = read_from(cpa)
        first = sync_instance(instance)
        asked = len(cpa.requests)
        second = sync_instance(Instance.objects.get())
    assert "banned" in first.error
    assert second.error == first.error
    assert len(cpa.requests) == asked
    instance.refresh_from_db()
    assert instance.state == State.BANNED
    assert timedelta(minutes=30) <= instance.retry_at - timezone.now() + timedelta(seconds=1) <= timedelta(minutes=31)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("Try again in 29m58s", 1798), ("Try again in 1h0m5s", 3605), ("Try again in 7s", 7), ("later", 1800)],
)
def test_the_duration_of_a_ban_is_read_as_go_writes_it(text: str, seconds: int) -> None:
    assert refusals._ban_left(f"IP banned due to too many failed attempts. {text}") == timedelta(seconds=seconds)


def test_an_unreachable_server_is_named_so_and_stops_no_other() -> None:
    with fake_cpa() as cpa:
        dead = Instance(name="A dead one", base_url="http://127.0.0.1:9")
        dead.management_key = KEY
        dead.save()
        send_traffic(cpa)
        read_from(cpa)
        outcomes = sync_all()
    assert ["no connection" in outcome.error for outcome in outcomes] == [True, False]
    assert outcomes[1].counts.new == 9
    dead.refresh_from_db()
    assert dead.state == State.UNREACHABLE


@pytest.mark.parametrize(
    ("fault", "state", "words"),
    [
        (faults.html_page(502), State.FAULTY, "a proxy in front of CPA answered 502"),
        (faults.html_page(503), State.FAULTY, "a proxy in front of CPA answered 503"),
        (faults.html_page(403), State.FAULTY, "words that are not CPA's"),
        (faults.server_error(500), State.FAULTY, "CPA answered 500"),
        (faults.not_json(), State.FAULTY, "answered text/html where CPA answers JSON"),
        (faults.redirect("https://elsewhere.example/login"), State.FAULTY, "redirects to elsewhere.example"),
        (faults.hang(0.1), State.UNREACHABLE, "the connection broke"),
    ],
)
@pytest.mark.parametrize("path", ["usage-statistics-enabled", "auth-files", "usage-queue?count=500"])
def test_each_bad_answer_has_its_words_and_loses_nothing(
    fault: faults.Fault, state: str, words: str, path: str
) -> None:
    with fake_cpa() as cpa:
        expected = send_traffic(cpa)
        instance = read_from(cpa)
        if "count=500" in path:  # the probe before it asks the same path
            sync_instance(instance)
            expected = send_traffic_again(cpa, expected)
            cpa.faults.next(fault, path="usage-queue")
            outcome = sync_instance(instance, names_may_be=timedelta(minutes=5))
        else:
            cpa.faults.next(fault, path=path)
            outcome = sync_instance(instance)
            if path == "auth-files":  # names can wait, records cannot
                assert outcome.counts.new == 9
        assert words in outcome.error
        assert instance.state == state
        assert sync_instance(Instance.objects.get()).error == ""
    assert shown() == expected


def send_traffic_again(cpa: FakeCPA, expected: dict[Any, list[int]]) -> dict[Any, list[int]]:
    """One more record of an account that is known already."""
    cpa.emit(cpa.credentials.files[1], "gpt-5.4", tokens=Tokens(uncached=5))
    return expected | {("codex", "dave@example.com"): _plus(expected["codex", "dave@example.com"], 1, 5)}


def _plus(row: list[int], requests: int, uncached: int) -> list[int]:
    return [row[0] + requests, row[1] + uncached, *row[2:]]


def test_retry_after_is_honoured() -> None:
    with fake_cpa() as cpa:
        instance = read_from(cpa)
        cpa.faults.next(faults.html_page(429, retry_after=120))
        sync_instance(instance)
        asked = len(cpa.requests)
        sync_instance(Instance.objects.get())
        assert len(cpa.requests) == asked
    assert timedelta(seconds=100) < instance.retry_at - timezone.now() <= timedelta(seconds=120)


@pytest.mark.parametrize("profile", ["6.10.8", "7.2.140"])
def test_no_management_api_in_either_style_of_404(profile: str) -> None:
    with fake_cpa(profile) as cpa:
        cpa.home_mode = True
        instance = read_from(cpa)
        assert "there is no management API" in sync_instance(instance).error
    assert instance.state == State.MANAGEMENT_OFF


def test_remote_access_switched_off_is_named() -> None:
    with fake_cpa() as cpa:
        cpa.faults.next(faults.server_error(403, b'{"error":"remote management disabled"}'))
        instance = read_from(cpa)
        assert "allow-remote: true" in sync_instance(instance).error
    assert instance.state == State.REMOTE_OFF


def test_a_self_signed_certificate_is_refused_unless_the_operator_says_otherwise(tmp_path: Path) -> None:
    context, _authority = self_signed(tmp_path)
    with fake_cpa(tls=context) as cpa:
        expected = send_traffic(cpa)
        instance = read_from(cpa)
        assert "certificate verify failed" in sync_instance(instance).error
        assert instance.state == State.UNREACHABLE
        instance.verify_tls = False
        instance.save()
        assert sync_instance(instance).error == ""
    assert shown() == expected


def test_statistics_that_are_off_are_told_and_not_taken_for_silence() -> None:
    with fake_cpa(statistics=False) as cpa:
        instance = read_from(cpa)
        assert sync_instance(instance).error == ""
    assert instance.state == State.STATISTICS_OFF
    assert "usage-statistics-enabled: true" in instance.state_text


@pytest.mark.parametrize("fault", [faults.gzip(), faults.slow_body(0.01, 256)])
@pytest.mark.parametrize("profile", ["6.9.49", "7.2.140"])
def test_a_slow_or_compressed_answer_is_read_like_any(fault: faults.Fault, profile: str) -> None:
    with fake_cpa(profile) as cpa:
        expected = send_traffic(cpa)
        cpa.faults.next(fault, path="management/usage" if profile == "6.9.49" else "count=500")
        assert sync_instance(read_from(cpa)).error == ""
    assert shown() == expected


@pytest.mark.parametrize("cut_at", [1, 2, 700, 2_500, 4_000])
def test_of_half_an_answer_what_arrived_whole_is_booked_and_the_rest_kept(cut_at: int) -> None:
    with fake_cpa() as cpa:
        _emit(cpa, 5)
        instance = read_from(cpa)
        cpa.faults.next(faults.cut_body(cut_at), path="count=500")
        outcome = sync_instance(instance)
        arrived = (b"[" + b",".join(cpa.handed_out))[:cut_at]
        ends = [len(b"[" + b",".join(cpa.handed_out[:count])) for count in range(6)]
    whole = max(count for count, end in enumerate(ends) if end <= cut_at)
    rest = arrived[ends[whole] :].removeprefix(b",")
    assert "the connection broke" in outcome.error
    assert UsageRecord.objects.count() == whole
    kept = QuarantinedPayload.objects.values_list("encrypted_payload", flat=True)
    assert [decrypt(payload) for payload in kept] == [rest.decode()] * bool(rest)
    assert list(Spool(instance.pk).waiting()) == []


@pytest.mark.parametrize("kind", sorted(ELEMENTS))
def test_one_bad_element_never_drops_the_batch(kind: str) -> None:
    with fake_cpa() as cpa:
        _emit(cpa, 3)
        instance = read_from(cpa)
        cpa.faults.next(faults.garbage(kind, kind), path="count=500")
        outcome = sync_instance(instance)
    assert outcome.error == ""
    is_booked = kind in ("huge token", "negative token", "float token", "nan token", "megabyte body")
    assert UsageRecord.objects.count() == (4 if is_booked else 3)
    assert outcome.counts.quarantined == (0 if is_booked else 2)
    assert rollup.differences() == []
    if kind in ("huge token", "negative token", "float token", "nan token"):
        assert UsageRecord.objects.filter(quality=UsageRecord.Quality.INCONSISTENT).count() == 1
    if not is_booked:
        kept = QuarantinedPayload.objects.get()  # two equal ones are one
        assert decrypt(kept.encrypted_payload) == ELEMENTS[kind]
        assert "FAKE" not in kept.reason


def test_of_a_huge_error_text_eight_kilobytes_are_kept() -> None:
    with fake_cpa() as cpa:
        cpa.emit(None, "gpt-5.4", status=500, error="x" * 2**20)
        sync_instance(read_from(cpa))
    assert len(FailureText.objects.get().text) == 8_192


def test_bytes_that_were_no_json_in_the_queue_are_quarantined() -> None:
    with fake_cpa() as cpa:
        cpa.enqueue_raw(b"\xff\xfe not json")
        _emit(cpa, 1)
        outcome = sync_instance(read_from(cpa))
    assert (outcome.counts.new, outcome.counts.quarantined) == (1, 1)


def test_a_broken_snapshot_is_read_as_far_as_it_goes_and_completed_by_the_next() -> None:
    with fake_cpa("6.9.49") as cpa:
        instance = read_from(cpa)
        sync_instance(instance)
        _emit(cpa, 50)
        cpa.faults.next(faults.cut_body(6_000), path="management/usage")
        broken = sync_instance(instance, names_may_be=timedelta(minutes=5))
        whole = sync_instance(Instance.objects.get())
    assert "the connection broke" in broken.error
    assert 0 < broken.counts.new < 50
    assert whole.counts.read == 50
    assert broken.counts.new + whole.counts.new == 50
    assert QuarantinedPayload.objects.count() == 0
    assert report_of_all().usage.requests == 50
