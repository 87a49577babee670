"""A page that has the newest is told so, and one that has not gets it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from tests.factories import NOON, book, payload
from tests.test_pricing import add_price
from usage.models import CollectionGap, Instance

pytestmark = pytest.mark.django_db
PAGES = ["/", "/channels/", "/channels/?range=1h&open=claude"]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON + timedelta(seconds=1), tick=False) as clock:
        yield clock


@pytest.fixture
def booked(instance: Instance) -> Instance:
    instance.enter(Instance.State.OK, synced_at=NOON)
    book(instance, payload(NOON - timedelta(minutes=3)))
    return instance


def version(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return str(answer["X-Live"])


@pytest.mark.parametrize("path", PAGES)
def test_nothing_new(reader: Client, booked: Instance, path: str) -> None:
    answer = reader.get(path, headers={"X-Live": version(reader, path)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert reader.get(path, headers={"X-Live": "of another day"}).status_code == 200


def a_record(booked: Instance, clock: time_machine.Traveller) -> None:
    book(booked, payload(NOON - timedelta(minutes=2), request_id="later"))


def a_price(booked: Instance, clock: time_machine.Traveller) -> None:
    add_price("another-FAKE-model", "1", "2")


def a_gap(booked: Instance, clock: time_machine.Traveller) -> None:
    CollectionGap.objects.create(instance=booked, since=NOON - timedelta(hours=1), until=NOON, cause="away")


def an_acknowledgement(booked: Instance, clock: time_machine.Traveller) -> None:
    CollectionGap.objects.update(acknowledged_at=NOON)


def a_broken_server(booked: Instance, clock: time_machine.Traveller) -> None:
    booked.enter(Instance.State.UNREACHABLE)


def five_minutes(booked: Instance, clock: time_machine.Traveller) -> None:
    clock.shift(timedelta(minutes=5))


CHANGES = [a_record, a_price, a_gap, an_acknowledgement, a_broken_server, five_minutes]


@pytest.mark.parametrize("change", CHANGES)
def test_something_new(reader: Client, booked: Instance, clock: time_machine.Traveller, change: object) -> None:
    CollectionGap.objects.create(instance=booked, since=NOON - timedelta(hours=9), until=NOON, cause="restarted")
    before = version(reader, "/channels/")
    change(booked, clock)  # type: ignore[operator]
    answer = reader.get("/channels/", headers={"X-Live": before})
    assert answer.status_code == 200 and answer["X-Live"] != before


def test_who_is_signed_out_is_not_told(client: Client, booked: Instance) -> None:
    answer = client.get("/channels/")
    assert answer.status_code == 302 and "X-Live" not in answer


def test_what_comes_while_the_page_is_drawn_is_told_the_next_time(
    reader: Client, booked: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from channels_app import channels_page

    real = channels_page.channel_report

    def slow(*args: object, **kwargs: object) -> object:
        found = real(*args, **kwargs)  # type: ignore[arg-type]
        book(booked, payload(NOON - timedelta(minutes=1), request_id="meanwhile"))
        return found

    monkeypatch.setattr(channels_page, "channel_report", slow)
    before = version(reader, "/channels/")
    monkeypatch.setattr(channels_page, "channel_report", real)
    assert reader.get("/channels/", headers={"X-Live": before}).status_code == 200
