"""A part of a page whose question the database gives up shows that in its place; all others are there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import escape
from typing import Any, NamedTuple

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection
from django.test import Client

from channels_app import channels_page
from channels_app.entity_page import page as entity_page
from channels_app.errors_page import page as errors_page
from channels_app.errors_page.answers import ErrorsAnswers
from channels_app.explore_page import answers as explore_answers
from channels_app.explore_page import page as explore_page
from channels_app.explore_page import scatter as scatter_page
from channels_app.keys_page import page as keys_page
from channels_app.models_page import page as models_page
from channels_app.overview import page as overview_page
from channels_app.usage_table import list_page
from tests.pages import text
from tests.sample_usage import make_sample_usage
from usage.models import Instance, UsageRecord

# As pages are answered: each question in a transaction of its own.
pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def visitor(client: Client) -> Client:
    instance = Instance(name="Test CPA", base_url="http://127.0.0.1:9", encrypted_key="x")
    instance.save()
    make_sample_usage(instance, NOW)
    client.force_login(get_user_model().objects.create_user("ann"))
    return client


def give_up() -> None:
    """Ask what the database gives up: PostgreSQL after some time, SQLite at once."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = '20ms'")
            try:
                cursor.execute("SELECT pg_sleep(5)")
            finally:
                cursor.execute("SET statement_timeout = 0")
            return
        connection.connection.set_progress_handler(lambda: 1, 1)
        try:
            cursor.execute(f"SELECT COUNT(*), MAX(output) FROM {UsageRecord._meta.db_table}")
        finally:
            connection.connection.set_progress_handler(None, 0)


def failing(name: str) -> Callable[..., None]:
    def ask(*_asked: object, **_named: object) -> None:
        give_up()
        raise AssertionError(name)

    return ask


class Failure(NamedTuple):
    """`question` of `module` is given up: the part `name` of the page fails, and with it these headings."""

    module: Any
    question: str
    address: str
    name: str
    headings: set[str]


FAILURES = [
    Failure(overview_page, "latency_chart", "/", "Latency", {"chart-latency-title"}),
    Failure(overview_page, "usage_chart", "/?metric=cost", "Est. cost", {"chart-usage-title"}),
    Failure(overview_page, "Cards", "/", "Key figures", set()),
    Failure(entity_page, "latest", "/channels/codex/", "Broken down", set()),
    Failure(entity_page, "records", "/channels/codex/", "Last requests", {"records-title"}),
    Failure(channels_page, "usage_chart", "/channels/", "Tokens", {"chart-usage-title"}),
    Failure(list_page, "trends", "/channels/?open=claude", "Channels", set()),
    Failure(list_page, "trends", "/models/", "Models", set()),
    Failure(models_page, "Bubbles", "/models/", "Speed and cost", set()),
    Failure(list_page, "seen_by", "/keys/", "API keys", set()),
    Failure(keys_page, "Matrix", "/keys/?metric=cost", "Est. cost by API key and model", {"matrix-title"}),
    Failure(errors_page, "cards", "/errors/", "Key figures", set()),
    Failure(errors_page, "failures_chart", "/errors/", "Failed requests by class", {"chart-failures-title"}),
    Failure(ErrorsAnswers, "spreading", "/errors/", "What upstream said", {"groups-title"}),
    Failure(errors_page, "AccountRow", "/errors/", "Accounts by error rate", {"accounts-title"}),
    Failure(explore_page, "volume_strip", "/explore/", "Requests over time", {"chart-volume-title"}),
    Failure(
        explore_answers,
        "OfSums",
        "/explore/",
        "Tokens by channel · Last 7 days",
        {"chart-explore-title", "chart-volume-title", "pivot-title"},
    ),
    Failure(
        scatter_page, "volume_strip", "/explore/?mode=scatter&y=tokens", "Requests over time", {"chart-volume-title"}
    ),
    Failure(
        scatter_page,
        "sample",
        "/explore/?mode=scatter&y=tokens",
        "Tokens by time · Last 7 days",
        {"scatter-title", "chart-volume-title", "largest-title"},
    ),
]


def headings(html: str) -> set[str]:
    return set(re.findall(r'<h2 id="([\w-]+)"', html))


def test_one_part_fails_and_the_others_are_there(visitor: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    for failure in FAILURES:
        with monkeypatch.context() as patch:
            patch.setattr(failure.module, failure.question, failing(failure.question))
            answer = visitor.get(failure.address)
        html = answer.content.decode()
        (failed,) = re.findall(r'<section class="failed-part.*?</section>', html, re.DOTALL)
        (reference,) = re.findall(r"<code>([0-9a-f]{8})</code>", failed)
        assert answer.status_code == 200 and text(failed).startswith(f"{failure.name}: the database gave no answer.")
        assert f'href="{escape(failure.address)}" data-swap' in failed  # Retry
        assert reference in caplog.text and "OperationalError" in caplog.text
        whole = visitor.get(failure.address)  # from then on
        assert headings(whole.content.decode()) == headings(html) | failure.headings
        # Nobody takes the page for the newest there is.
        assert "X-Live" in whole and "X-Live" not in answer
        assert "failed-part" not in whole.content.decode()


def test_a_mistake_of_ours_ends_the_page(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that there is not, or not yet: OperationalError on SQLite, ProgrammingError on PostgreSQL."""

    def ask(*_asked: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT nothing_of_this_name FROM {UsageRecord._meta.db_table}")

    monkeypatch.setattr(overview_page, "latency_chart", ask)
    with pytest.raises(DatabaseError, match="nothing_of_this_name"):
        visitor.get("/")
