"""The Errors page: every failure in one group, whom it met, and no secret."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import translation

from channels_app.errors_page import page as errors_page
from channels_app.errors_page.classes import CLASSES, class_of
from tests.factories import auth_file, auth_files, book, list_names, payload
from tests.pages import opened
from tests.test_overview import card, columns, section, text
from tests.test_pricing import add_price
from usage.ingest.attempts import derive
from usage.models import Account, FailureMessage, Instance

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECRET = "sk-FAKE-upstream-0123456789abcdef"


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def at(number: int, code: int | None, body: str, account: str = "dave", **fields: Any) -> Any:
    """A failure so many minutes ago."""
    return payload(
        NOW - number * MINUTE, failed=True, fail={"status_code": code, "body": body}, request_id=f"id-{number}",
        endpoint="POST /v1/responses", auth_index=account, provider="claude" if account == "bob" else "codex", **fields,
    )  # fmt: skip


@pytest.fixture
def failures(instance: Instance) -> Instance:
    """30 of 130 requests failed: 20 by a rate limit, 6 with a key in the message, 3 timed out, one says nothing."""
    list_names(
        instance,
        auth_files=auth_files(
            auth_file("dave.json", "codex", email="dave@example.com", auth_index="dave"),
            auth_file("bob.json", "claude", email="bob@example.com", auth_index="bob"),
        ),
    )
    book(
        instance,
        *(at(5 * number, 429, f'{{"error":{{"message":"wait {number} s"}}}}', "bob" if number % 4 else "dave", model="m-FAKE") for number in range(20)),
        *(at(200 + number, 401, f"bad key {SECRET}") for number in range(6)),
        *(at(300 + number, 504, "context deadline exceeded", "gone") for number in range(3)),
        at(400, None, ""),
        *(payload(NOW - number * MINUTE, request_id=f"ok-{number}", auth_index="dave") for number in range(100)),
    )  # fmt: skip
    Account.objects.filter(email="bob@example.com").update(
        state=Account.State.COOLING, retry_at=NOW + timedelta(minutes=15)
    )
    return instance


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/errors/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def groups(html: str) -> list[str]:
    """The words of each group, with what is open in it."""
    return [text(body) for body in re.findall(r'<tbody id="failure-[^"]*">(.*?)</tbody>', html, re.DOTALL)]


def csv_of(client: Client, address: str) -> list[list[str]]:
    answer: Any = client.get(address)
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))


def key_of(message: str, code: int) -> str:
    return f"{code}-{FailureMessage.objects.get(text=message).pk}"


def link(html: str, words: str) -> str:
    found = re.search(rf'<a[^>]* href="([^"]*)"[^>]*>{words}', html)
    assert found
    return unescape(found[1])


def test_six_figures(reader: Client, failures: Instance) -> None:
    html = page(reader)
    assert 'href="/errors/" title="Errors" aria-current="page"' in html
    assert card(html, "failed").startswith("Failed") and "30 of 130 requests" in card(html, "failed")
    assert "23.1%" in card(html, "rate") and "one account has 50.0% of the failures" in card(html, "rate")
    assert "2 in 3 channels" in card(html, "accounts")
    assert "429 66.7% of the failures" in card(html, "code")
    assert "≥ $0.0055 30 failed requests used tokens" in card(html, "cost")
    assert "30 0 rescued by a further attempt" in card(html, "lost")


def test_what_was_read_before_it_failed_has_its_cost(reader: Client, failures: Instance) -> None:
    add_price("dear-FAKE", "2", "10")
    failed = {"failed": True, "fail": {"status_code": 418}, "auth_index": "dave", "model": "dear-FAKE"}
    book(
        failures,
        payload(NOW, **failed, request_id="read", tokens={"input_tokens": 1_000_000}),
        payload(NOW, **failed, request_id="refused", tokens={}),
    )
    assert "$2.00 1 failed request used tokens" in card(page(reader, "?code=418"), "cost")
    assert "≥ $2.01 31 failed requests used tokens" in card(page(reader), "cost")


def test_a_client_request_that_another_attempt_served_is_not_lost(reader: Client, failures: Instance) -> None:
    book(failures, payload(NOW - timedelta(minutes=399), request_id="id-400", endpoint="POST /v1/responses"))
    derive()
    assert "29 1 rescued by a further attempt" in card(page(reader), "lost")


def test_every_failure_is_in_one_group(reader: Client, failures: Instance) -> None:
    html = page(reader)
    found = groups(html)
    assert [row.split(" View")[0] for row in found] == [
        "wait <n> s", "bad key [redacted]", "context deadline exceeded", "No message",
    ]  # fmt: skip
    assert "429 20 66.7% claude codex 2 1 11-23 08:55 11-23 10:30" in found[0]
    assert "504 3 10.0% Unknown channel 0 1 11-23 05:28 11-23 05:30" in found[2]
    assert "No status 1 3.3%" in found[3]
    assert "Total 30" in text(re.findall(r"<tfoot>.*?</tfoot>", html, re.DOTALL)[0])


def test_the_chart_has_the_same_failures_by_class(reader: Client, failures: Instance) -> None:
    html = page(reader, "?range=24h")
    found = {name: sum(value or 0 for value in values) for name, values in columns(html, "failures").items()}
    names = [str(CLASSES[key].label) for key in ("limit", "auth", "timeout", "unknown")]
    assert found == dict(zip([*names, "Total"], [20, 6, 3, 1, 30], strict=True))
    assert 'data-records="/records/?status=fail"' in html
    hidden = page(reader, "?range=24h&hide=limit")
    assert sum(value or 0 for value in columns(hidden, "failures")["Total"]) == 10


def test_classes_of_codes() -> None:
    assert {code: class_of(code) for code in (0, 200, 400, 401, 403, 404, 408, 429, 499, 500, 504, 529)} == {
        0: "unknown", 200: "unknown", 400: "client", 401: "auth", 403: "auth", 404: "client", 408: "timeout", 429: "limit",
        499: "timeout", 500: "server", 504: "timeout", 529: "server",
    }  # fmt: skip


def test_an_open_group_shows_its_accounts_and_last_records(reader: Client, failures: Instance) -> None:
    key = key_of("wait <n> s", 429)
    toggle = link(page(reader), '<svg class="icon turns"[^>]*><use[^>]*/></svg><span class="what"[^>]*>wait')
    assert toggle == f"?open={key}#failure-{key}"
    (opened,) = (group for group in groups(page(reader, f"?open={key}")) if group.startswith("wait"))
    assert "bob@example.com 15 75.0%" in opened and "dave@example.com 5 25.0%" in opened
    assert re.findall(r"11-23 10:\d\d:\d\d", opened) == ["11-23 10:30:00", "11-23 10:25:00", "11-23 10:20:00"]
    assert "wait 2 s" in opened  # what was said, whole
    assert groups(page(reader, "?open=429-999999,nonsense")) == groups(page(reader))


def test_all_groups_open_and_shut(reader: Client, failures: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_of("wait <n> s", 429)
    assert opened(page(reader, f"?open={key}")) == {f"toggle-{key}": 2 + 3}  # accounts and samples
    html = page(reader, link(page(reader), "Expand all"))
    assert len(opened(html)) == len(groups(html)) == 4
    assert not opened(page(reader, link(html, "Collapse all")))
    monkeypatch.setattr(errors_page, "LIMITS", (3, 200))
    html = page(reader, link(page(reader, "?limit=200"), "Expand all"))
    assert len(opened(html)) == 3 and "Collapse all" in html and len(groups(html)) == 4


def test_a_group_leads_to_its_records(reader: Client, failures: Instance) -> None:
    html = page(reader, "?range=24h")
    addresses = re.findall(r'<a href="(/records/[^"]*failure=[^"]*)">View records', html)
    assert len(addresses) == 4
    for address, number in zip(addresses, (20, 6, 3, 1), strict=True):
        records = reader.get(unescape(address)).content.decode()
        assert records.count('id="record-') == number and "range=24h" in address
        assert f"{number} request" in text(records) and "Error:" in text(records)
    assert len(csv_of(reader, unescape(addresses[1]) + "&format=csv")) == 7
    assert "failure=x-1 was not found" in reader.get("/records/?failure=x-1").content.decode()


def test_filters_narrow_the_failures_and_what_they_are_a_part_of(reader: Client, failures: Instance) -> None:
    html = page(reader, "?channel=codex&code=429")
    assert "5 of 112 requests" in card(html, "failed") and len(groups(html)) == 1
    assert "No requests match" in page(reader, "?range=yesterday") or "none in this period" in page(
        reader, "?range=yesterday"
    )


def test_where_nothing_failed_that_is_good_news(reader: Client, failures: Instance) -> None:
    for query in ("?status=ok", "?from=2026-11-23T10:26&to=2026-11-23T10:29"):
        html = page(reader, query)
        assert "No failed requests in this period" in html and "all of them succeeded" in html


def test_an_empty_installation_says_what_to_do(reader: Client) -> None:
    assert "No CPA server is connected yet" in page(reader)


def test_accounts_by_error_rate(reader: Client, failures: Instance) -> None:
    rows = re.findall(r"<tr>\s*<th scope=\"row\">(.*?)</tr>", section(page(reader), "accounts-title"), re.DOTALL)
    assert [text(row) for row in rows] == [
        "dave@example.com Open Filter by this View records codex Active 112 12 10.7%"
    ]  # bob has 15 requests
    book(failures, *(at(600 + number, 500, "x", "bob") for number in range(5)))
    rows = re.findall(r"<tr>\s*<th scope=\"row\">(.*?)</tr>", section(page(reader), "accounts-title"), re.DOTALL)
    assert (
        text(rows[0])
        == "bob@example.com Open Filter by this View records claude Cooling down until 11-23 10:45 20 20 100%"
    )


def test_what_came_last_first(reader: Client, failures: Instance) -> None:
    html = page(reader, "?sort=-last")
    assert html.count("aria-sort") == 1
    assert [group.split(" View")[0] for group in groups(html)] == [
        "wait <n> s", "bad key [redacted]", "context deadline exceeded", "No message",
    ]  # fmt: skip
    book(failures, payload(NOW, failed=True, request_id="x"), at(2, 504, "context deadline exceeded"))
    assert [group.split(" View")[0] for group in groups(page(reader, "?sort=-last"))][:3] == [
        "wait <n> s",
        "No message",
        "context deadline exceeded",
    ]
    assert "sort=x was not found" in page(reader, "?sort=x")


def test_more_groups_than_a_page_shows_are_summed_up(reader: Client, instance: Instance) -> None:
    words = [chr(ord("a") + number // 10) + "bcdefghijk"[number % 10] for number in range(30)]
    book(instance, *(at(number, 500, word) for number, word in enumerate(words)))
    html = page(reader)
    assert len(groups(html)) == 25 and "5 other messages" in html
    assert len(groups(page(reader, link(html, "Show more")))) == 30
    rows = csv_of(reader, "/errors/?format=csv")
    assert len(rows) == 31 and {row[2] for row in rows[1:]} == set(words)


def test_files_have_what_the_page_shows(reader: Client, failures: Instance) -> None:
    found = json.loads(reader.get("/errors/?range=24h&format=json").content)
    assert [row["failed"] for row in found["rows"]] == [20, 6, 3, 1]
    assert found["rows"][0] | {"first_seen": "", "share": 0} == {
        "status_code": 429, "class": "limit", "message": "wait <n> s", "failed": 20, "share": 0, "channels": "claude; codex",
        "accounts": 2, "models": 1, "first_seen": "", "last_seen": "2026-11-23T10:30:00+00:00",
    }  # fmt: skip
    accounts = json.loads(reader.get("/errors/?range=24h&format=json&section=accounts").content)["rows"]
    assert accounts == [
        {"account": "dave@example.com", "channel": "codex", "requests": 112, "failed": 12, "error_rate": 0.107143}
    ]


def test_the_navigation_tells_what_failed_in_the_last_hour(reader: Client, failures: Instance) -> None:
    html = reader.get("/prices/").content.decode()
    badge = re.search(r'id="errors-badge".*?</b></a>', html, re.DOTALL)
    assert badge and text(badge[0]).endswith("13 failed in the last hour")
    with time_machine.travel(NOW + timedelta(hours=2), tick=False):
        assert "failed in the last hour" not in reader.get("/prices/").content.decode()


def test_no_secret_and_little_to_load(reader: Client, failures: Instance) -> None:
    html = page(reader, f"?open={key_of('bad key [redacted]', 401)}")
    assert SECRET not in html and "[redacted]" in html
    assert len(gzip.compress(html.encode())) < 120 * 1024


def test_it_is_in_chinese_too(reader: Client, failures: Instance) -> None:
    with translation.override("zh-hans"):
        html = reader.get("/errors/", headers={"Accept-Language": "zh-hans"}).content.decode()
    assert "失败" in html and "View records" not in html and "Error rate" not in html


def test_everybody_must_sign_in(client: Client) -> None:
    assert client.get("/errors/").status_code == 302
