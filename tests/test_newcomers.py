"""A channel, an account, a model, a key and a record that come while a page is made: whatever it has read before, it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.factories import book, payload
from tests.sample_usage import make_sample_usage
from usage.models import Account, Channel, Instance

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("address", "step"), [("/api/channels/", 1), ("/channels/?open=codex", 3), ("/", 4)])
def test_newcomers_are_no_error(client: Client, instance: Instance, admin_user: Any, address: str, step: int) -> None:
    make_sample_usage(instance, timezone.now())
    client.force_login(admin_user)
    after = 0
    while _ask(client, address, after, partial(_come, instance, after)):
        after += step
    assert after > 8


def _ask(client: Client, address: str, after: int, happens: Callable[[], None]) -> bool:
    """Ask for a page; return whether it took so many queries that something happened after that one."""
    seen, is_over = -1, False

    def watch(execute: Callable[..., Any], *asked: Any) -> Any:
        nonlocal seen, is_over
        answer = execute(*asked)
        seen += not is_over
        if seen == after and not is_over:
            is_over = True
            happens()
        return answer

    with connection.execute_wrapper(watch):
        assert client.get(address).status_code == 200
    return is_over


def _come(instance: Instance, number: int) -> None:
    name = f"new-{number}"
    channel = Channel.objects.create(kind="oauth", name=name, slug=name)
    Account.objects.create(
        instance=instance, channel=channel, auth_index=name, provider="codex", label=f"{name}@example.com"
    )
    book(
        instance, payload(timezone.now(), request_id=name, auth_index=name, model=name, api_key=f"sk-FAKE-{number:04}")
    )
