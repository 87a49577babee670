"""Whatever a server or a proxy answers: a clear error or a quarantined payload, and the rest is stored (invariant 7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from tests.conftest import KEY
from tests.fake_cpa import FakeCPA, Tokens, faults
from tests.traffic import fake_cpa, read_from, report_of_all, send_traffic, shown
from usage.collection import sync_all, sync_instance
from usage.collection.board import Board
from usage.collection.booker import Booker
from usage.collection.taker import Taker
from usage.models import Instance, QuarantinedPayload
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
        cpa.faults.next(fault, path=path)
        outcome = sync_instance(instance)
        if path == "auth-files":  # names can wait, records cannot
            assert outcome.counts.new == 9
        assert words in outcome.error
        assert instance.state == state
        assert sync_instance(Instance.objects.get()).error == ""
    assert shown() == expected


def test_bytes_that_were_no_json_in_the_queue_are_quarantined() -> None:
    with fake_cpa() as cpa:
        cpa.enqueue_raw(b"\xff\xfe not json")
        _emit(cpa, 1)
        outcome = sync_instance(read_from(cpa))
    assert (outcome.counts.new, outcome.counts.quarantined) == (1, 1)


def test_a_broken_snapshot_is_read_as_far_as_it_goes_and_completed_by_the_next() -> None:
    with fake_cpa("6.9.49") as cpa:
        instance = read_from(cpa)
        taker, booker = Taker(instance, Board()), Booker(Board())
        taker.turn()  # looks at the server first, which asks the same path
        _emit(cpa, 50)
        cpa.faults.next(faults.cut_body(6_000), path="management/usage")
        taker.turn()
        error, broken = taker.error, booker.book(instance.pk)
        taker.turn()
        whole = booker.book(instance.pk)
        taker.end()
    assert "the connection broke" in error
    assert 0 < broken.new < 50
    assert whole.read == 50
    assert broken.new + whole.new == 50
    assert QuarantinedPayload.objects.count() == 0
    assert report_of_all().usage.requests == 50
