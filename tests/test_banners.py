"""Banners above every page: dismissed for one incident, not for the next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from usage.models import CollectionGap, Instance
from usage.warnings import Survey, banners

pytestmark = pytest.mark.django_db


def gap(instance: Instance, hours: int) -> CollectionGap:
    since = timezone.now() - timedelta(hours=hours)
    return CollectionGap.objects.create(  # type: ignore[misc]
        instance=instance, since=since, until=since + timedelta(minutes=14), cause=CollectionGap.Cause.AWAY
    )


def key_of_banner() -> str:
    (warning,) = (one for one in banners(Survey(timezone.now())) if one.id == "W05")
    return warning.key


def dismiss(client: Client, key: str) -> None:
    answer = client.post("/preferences/dismiss/", {"warning": key, "next": "/records/?range=24h"})
    assert answer["Location"] == "/records/?range=24h"


def is_shown(client: Client, address: str = "/channels/") -> bool:
    return "may be lost" in client.get(address).content.decode()


def test_a_banner_that_was_dismissed_comes_back_for_the_next_incident(reader: Client, instance: Instance) -> None:
    gap(instance, hours=20)
    key = key_of_banner()
    assert is_shown(reader) and f'value="{key}"' in reader.get("/channels/").content.decode()
    dismiss(reader, key)
    assert not is_shown(reader) and not is_shown(reader, "/records/")
    assert is_shown(reader, "/collector/")  # which tells all that is wrong
    gap(instance, hours=10)
    assert is_shown(reader) and key_of_banner() != key
    dismiss(reader, key_of_banner())
    assert not is_shown(reader)
    assert reader.cookies["dismissed"].value.count("W05") == 2


def test_nonsense_dismisses_nothing(reader: Client, instance: Instance) -> None:
    gap(instance, hours=20)
    for nonsense in ("", "W05", "a;b", "x" * 61, "W05.W05"):
        dismiss(reader, nonsense)
        assert is_shown(reader)
    for number in range(30):
        dismiss(reader, f"W99-{number}")
    assert len(reader.cookies["dismissed"].value) < 200
    assert reader.get("/preferences/dismiss/").status_code == 405
    assert Client().post("/preferences/dismiss/", {"warning": key_of_banner()})["Location"].startswith("/login/")
