"""The REST API: rights, figures, and a schema that describes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from knox.models import AuthToken
from rest_framework import serializers

from channels_app.fast_serializer import FastSerializer
from channels_app.serializers import ChannelReportSerializer
from tests.traffic import fake_cpa, read_from, report_of_all, send_traffic
from usage.collection import sync_instance
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def _token(**rights: bool) -> dict[str, str]:
    user = get_user_model().objects.create_user("caller", **rights)
    return {"Authorization": f"Token {AuthToken.objects.create(user)[1]}"}


@pytest.fixture
def traffic() -> None:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        sync_instance(read_from(cpa))


@pytest.mark.parametrize("path", ["/api/channels/", "/api/channels/claude/"])
def test_nothing_is_told_without_a_right(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"


def test_sync_needs_a_right(client: Client) -> None:
    assert client.post("/api/sync/").status_code == 401
    assert client.post("/api/sync/", headers={"Authorization": "Token FAKE"}).status_code == 401
    assert client.post("/api/sync/", headers=_token(is_staff=False)).status_code == 403


def test_sync_by_a_token_holder(client: Client) -> None:
    headers = _token(is_staff=True)
    with fake_cpa() as cpa:
        send_traffic(cpa)
        read_from(cpa)
        answer = client.post("/api/sync/", headers=headers)
        again = client.post("/api/sync/", headers=headers)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in ("status", "inserted")} == {"status": "ok", "inserted": 9}
    assert again.json()["inserted"] == 0
    assert UsageRecord.objects.count() == 9


def test_sync_tells_which_server_failed(client: Client, instance: Any) -> None:
    answer = client.post("/api/sync/", headers=_token(is_staff=True))
    assert answer.status_code == 502
    assert answer.json()["status"] == "error"
    assert "no connection" in answer.json()["instances"][0]["error"]


def test_the_figures_are_those_of_stats(client: Client, traffic: None) -> None:
    answer = client.get("/api/channels/?range=all", headers=_token()).json()
    report = report_of_all()
    assert answer["total"]["requests"] == report.usage.requests == 9
    assert answer["total"]["failed"] == 1
    assert answer["total"]["cost"]["nanousd"] == report.usage.cost_nanousd
    assert [channel["name"] for channel in answer["channels"]] == [channel.name for channel in report.channels]
    for shown, row in zip(answer["channels"], report.channels, strict=True):
        assert shown["usage"]["tokens"]["total"] == row.usage.total_tokens
        assert sum(account["usage"]["requests"] for account in shown["accounts"]) == row.usage.requests
        assert sum(model["usage"]["tokens"]["total"] for model in shown["models"]) == row.usage.total_tokens
    assert sum(channel["share"]["requests"] for channel in answer["channels"]) == pytest.approx(1)


def test_a_model_without_a_price_is_unpriced_and_not_free(client: Client, traffic: None) -> None:
    channels = client.get("/api/channels/?days=3", headers=_token()).json()["channels"]
    antigravity = next(channel for channel in channels if channel["name"] == "antigravity")
    assert antigravity["usage"]["cost"] == {
        "usd": None, "nanousd": None, "pricing": "unpriced", "coverage": 0.0, "saved_nanousd": None,
        "per_request_nanousd": None, "per_million_tokens_nanousd": None,
    }  # fmt: skip


def test_costs_are_exact_decimals(client: Client, traffic: None) -> None:
    answer = client.get("/api/channels/claude/?days=3", headers=_token()).json()
    # 3,085 x 3 + 7 x 0.3 + 19,514 x 3.75 + 253 x 15 USD per 1M tokens
    assert answer["usage"]["cost"]["usd"] == "0.086229600"
    assert answer["models"][0]["model"] == "claude-sonnet-4-6"


def test_from_one_aggregation(client: Client, traffic: None, django_assert_max_num_queries: Any) -> None:
    headers = _token()
    with django_assert_max_num_queries(10) as queries:  # token, user, preferences, and seven of the report
        client.get("/api/channels/?days=3", headers=headers)
    assert sum("GROUP BY" in query["sql"] and "AS pieces" in query["sql"] for query in queries) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("days=0", "days=0 is not a whole number from 1 to"),
        ("days=x", "days=x is not"),
        ("range=fortnight", "range=fortnight is none of 1h, 6h, 24h"),
        ("from=2026-13-01", "from=2026-13-01 is neither a date"),
        ("from=2026-11-02&to=2026-11-01", "End is before start"),
        ("sort=colour", "'colour' is none of name"),
    ],
)
def test_a_question_that_cannot_be_read_is_answered_400_with_the_rule(client: Client, query: str, words: str) -> None:
    answer = client.get(f"/api/channels/?{query}", headers=_token())
    assert answer.status_code == 400
    assert words in str(answer.json())


def test_a_channel_without_usage_is_404(client: Client) -> None:
    assert client.get("/api/channels/nowhere/?days=3", headers=_token()).status_code == 404


def test_the_schema_is_whole(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yaml"))


def test_the_page_of_the_api_is_for_those_signed_in(client: Client) -> None:
    assert client.get("/api/docs/")["Location"] == "/login/?next=/api/docs/"
    assert client.get("/api/schema/").status_code == 401
    client.force_login(get_user_model().objects.create_user("reader"))
    assert client.get("/api/docs/").status_code == 200
    assert b"/api/channels/" in client.get("/api/schema/").content


def test_fast_serializers_answer_as_those_of_the_framework(traffic: None) -> None:
    report = report_of_all()
    fast = ChannelReportSerializer(report).data
    assert report.channels
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FastSerializer, "to_representation", serializers.Serializer.to_representation)
        slow = ChannelReportSerializer(report).data
    assert json.loads(json.dumps(fast)) == json.loads(json.dumps(slow))
