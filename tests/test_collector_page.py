"""The Collector page: what it shows in each state, to whom, and what staff can do on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from tests.conftest import KEY
from tests.factories import CLIENT_KEY, book, payload, record
from tests.sample_usage import make_sample_usage
from tests.test_catalogue import chinese, leftovers  # noqa: F401
from tests.test_channels_page import Attributes
from tests.traffic import SECRETS, fake_cpa, read_from, send_traffic
from usage.accounting.payload import Twins, Unreadable, read_detail, read_record
from usage.collection import sync_instance
from usage.collector_page.reasons import FIXED, in_words
from usage.collector_page.volume import volumes
from usage.demo.collection import CLIENT_KEY as QUARANTINED_KEY
from usage.demo.collection import UPSTREAM_KEY, lead, make_sample_collection
from usage.ingest.elements import split_elements
from usage.ingest.ledger import Ledger, Rejected
from usage.models import (
    CollectionGap,
    CollectorEvent,
    CollectorProcess,
    Instance,
    QuarantinedPayload,
    UsageRecord,
)
from usage.models.fields import to_micros

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
State, Way = Instance.State, Instance.Way


@pytest.fixture
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def full(instance: Instance, clock: None) -> Instance:
    make_sample_usage(instance, NOW)
    make_sample_collection(instance, NOW)
    lead(NOW)
    return instance


def page(client: Client) -> str:
    answer = client.get("/collector/")
    assert answer.status_code == 200
    return answer.content.decode()


def facts(html: str) -> dict[str, str]:
    """The terms of the page and what stands beside them, as text."""
    shown = re.sub(r'<div class="popover.*?</dl></div>', "", html, flags=re.DOTALL)
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", shown, re.DOTALL)
    term, text = ([re.sub(r"<[^>]+>", "", side).strip() for side in sides] for sides in zip(*pairs, strict=True))
    return dict(zip(term, text, strict=True))


def section(html: str, name: str) -> str:
    start = html.index(f'id="{name}"')
    return html[start : html.index("</section>", start)]


def act(client: Client, name: str, row: Any, **data: str) -> str:
    """Send a form of the page; return the page that answers."""
    answer = client.post(reverse(name, args=[row.pk]), data, follow=True)
    assert answer.redirect_chain == [("/collector/", 302)]
    return str(answer.content.decode())


# What it shows


def test_who_is_not_signed_in_goes_to_the_login(client: Client) -> None:
    assert client.get("/collector/")["Location"] == "/login/?next=/collector/"


def test_an_empty_install_leads_to_the_first_server(staff: Client) -> None:
    html = page(staff)
    assert "No CPA server is connected yet" in html and 'href="/setup/server/"' in html
    assert "<table" not in html


def test_a_healthy_server_at_a_glance(reader: Client, full: Instance) -> None:
    html = page(reader)
    assert re.search(r'class="state ok">\s*<svg.*?<strong>Collecting</strong>', html, re.DOTALL)
    shown = facts(html)
    assert {name: shown[name] for name in ("Lag", "CPA version", "Taken by", "Usage statistics", "Clock offset")} == {
        "Lag": "8.00 s", "CPA version": "7.2.140", "Taken by": "Subscription (RESP)", "Usage statistics": "on",
        "Clock offset": "+1 s",
    }  # fmt: skip
    assert (shown["Completeness"], shown["Duplicates dropped"]) == ("≈ 97.6%", "3")
    assert (shown["CPA keeps records for"], shown["Poll interval"]) == ("1 m 00 s", "at once")
    assert "89 polls · 2 failed · 10 late" in html


@pytest.mark.parametrize("state", [*State])
def test_every_state_has_its_word_its_reason_and_its_action(staff: Client, full: Instance, state: State) -> None:
    Instance.objects.update(state=state, reason="", retry_at=NOW + timedelta(minutes=9))
    html = section(page(staff), "server-test-cpa")
    words = {State.NEW: "Not asked yet", State.OK: "Collecting", State.UNREACHABLE: "Offline", State.FAULTY: "Offline"}
    assert f"<strong>{words.get(state, 'Blocked')}</strong>" in html
    if words.get(state, "Blocked") in ("Blocked", "Offline"):
        assert "state fail" in html and str(state.label) in html
    actions = {
        State.KEY_REJECTED: ">Enter the key<", State.STATISTICS_OFF: ">Enable usage statistics<",
        State.UNREACHABLE: ">Test connection<", State.FAULTY: ">Test connection<",
    }  # fmt: skip
    primary = re.findall(r'class="(?:button )?primary".*?(>[^<]*<)', html)
    assert primary == ([actions[state]] if state in actions else [])


@pytest.mark.parametrize(("seconds", "word"), [(20, "Collecting"), (31, "Delayed"), (299, "Delayed"), (301, "Offline")])
def test_how_old_the_last_poll_may_be(reader: Client, full: Instance, seconds: int, word: str) -> None:
    Instance.objects.update(synced_at=NOW - timedelta(seconds=seconds))
    assert f"<strong>{word}</strong>" in page(reader)


def test_without_a_collector_a_server_is_offline_here_and_on_the_other_pages(reader: Client, full: Instance) -> None:
    CollectorProcess.objects.update(seen_at=NOW - timedelta(minutes=3))
    html = page(reader)
    assert "<strong>Offline</strong>" in html and "No collector runs" in html
    assert "Collector stopped at 11-23 10:27." in html and "python manage.py collect" in html
    assert "Collector stopped at 11-23 10:27." in reader.get("/channels/").content.decode()


def test_a_gap_has_the_same_times_in_the_table_and_in_the_banner_of_every_page(reader: Client, full: Instance) -> None:
    html = page(reader)
    table = section(html, "gaps")
    assert ">11-23 09:30</time>" in table and ">11-23 09:44</time>" in table and "14 m 00 s" in table
    assert "We were away longer than CPA keeps records" in table
    for shown in (html, reader.get("/channels/").content.decode()):
        assert "Usage between 11-23 09:30 and 11-23 09:44 may be lost" in shown


def test_what_is_lost_is_measured_estimated_or_unknown(reader: Client, full: Instance) -> None:
    cells = re.findall(r'data-label="Requests lost">(.*?)</td>', section(page(reader), "gaps"))
    assert [re.sub(r"<[^>]+>", "", cell) for cell in cells] == ["≈ 120 (estimate)", "4", "unknown"]


def test_who_waits_and_who_leads(reader: Client, full: Instance) -> None:
    html = section(page(reader), "collectors")
    assert re.search(r"meter-1:4211.*?Collecting.*?3 s ago.*?meter-2:87.*?Standing by", html, re.DOTALL)


def test_jobs_show_their_last_run_and_their_next(reader: Client, full: Instance) -> None:
    html = section(page(reader), "jobs")
    assert re.search(r"Names of accounts.*?12 m ago.*?420 ms.*?Done.*?12 records named.*?11-23 11:18", html, re.DOTALL)
    assert re.search(r"Prices of unpriced records.*?Failed.*?database is locked", html, re.DOTALL)
    assert re.search(r"Deletion of old entries.*?no data.*?at once", html, re.DOTALL)


def test_sources_that_match_nothing_are_listed(reader: Client, full: Instance) -> None:
    assert re.search(r"claude · sk-a...9f3c · 0f1e2d.*?>12<", section(page(reader), "unmatched"), re.DOTALL)


def test_events_are_told_in_the_readers_language(reader: Client, full: Instance, chinese: None) -> None:  # noqa: F811
    assert "No connection (refused); is CPA running, and the URL right?" in section(page(reader), "events")
    reader.cookies["django_language"] = "zh-hans"
    assert "无法连接（refused）" in section(page(reader), "events")


def test_quality_and_storage(reader: Client, full: Instance) -> None:
    shown = facts(page(reader))
    assert (shown["Tokens complete"], shown["Tokens estimated"], shown["Records"]) == ("174", "0", "174")
    assert (shown["Without TTFT"], shown["Without request id"]) == ("165", "174")  # of those that succeeded; of all
    assert shown["Oldest record"] == "11-23 10:28" and shown["Disk free"].endswith("B")


def test_several_servers_have_a_block_each_and_tables_name_them(reader: Client, full: Instance) -> None:
    assert page(reader).count('scope="col">CPA server<') == 0
    Instance.objects.create(name="Second", base_url="http://127.0.0.1:10", encrypted_key="x", enabled=False)
    html = page(reader)
    assert html.index('id="server-test-cpa"') < html.index('id="server-second"')
    assert "<strong>Switched off</strong>" in html and html.count('scope="col">CPA server<') == 4


def test_no_table_is_longer_than_twenty_rows(reader: Client, full: Instance) -> None:
    for number in range(30):
        since = NOW - timedelta(hours=40 + number)
        CollectionGap.objects.create(instance=full, since=since, until=since, cause="away")
        CollectorEvent.objects.create(instance=full, at=since, level="info", message="Collecting")
    html = page(reader)
    assert section(html, "gaps").count("<tr>") == 21
    assert section(html, "events").count("<li>") == 20


# Figures


def test_volumes_count_to_the_last_record(instance: Instance, clock: None) -> None:
    ages = [0, 59, 61, 1799, 1801, 3599, 3601, 86_399, 86_401, 90_000]
    book(instance, *(payload(NOW - timedelta(seconds=age), request_id=str(age)) for age in ages))
    volume = volumes(NOW)[instance.pk]
    assert (volume.minute, volume.hour, volume.day) == (2, 6, 8)
    assert volume.hours[-1] == 4 and sum(volume.hours) == 7  # from 10:00, and from yesterday 11:00 on


def test_volumes_are_those_of_each_server(instance: Instance, clock: None) -> None:
    other = Instance(name="Other", base_url="http://127.0.0.1:10")
    other.management_key = KEY
    other.save()
    book(instance, payload(NOW - timedelta(seconds=30)))
    book(other, *(payload(NOW - timedelta(seconds=30), request_id=str(number)) for number in range(3)))
    assert {pk: volume.minute for pk, volume in volumes(NOW).items()} == {instance.pk: 1, other.pk: 3}


def test_no_query_reads_a_whole_table_of_records(reader: Client, full: Instance) -> None:
    """Beside millions of records the page costs what the last day costs: each query has its limits in time."""
    with CaptureQueriesContext(connection) as queries:
        page(reader)
    assert len(queries) <= 47  # of which four are of the shell: preferences, site, and the badge of Errors
    on_records = [query["sql"] for query in queries if f'"{UsageRecord._meta.db_table}"' in query["sql"]]
    assert on_records
    for sql in on_records:
        assert "requested_at" in sql and ("WHERE" in sql or "MIN(" in sql), sql


def test_queries_do_not_grow_with_servers(reader: Client, full: Instance) -> None:
    page(reader)
    with CaptureQueriesContext(connection) as few:
        page(reader)
    for number in range(5):
        Instance.objects.create(name=f"CPA {number}", base_url=f"http://127.0.0.1:{number + 20}", encrypted_key="x")
    with CaptureQueriesContext(connection) as many:
        page(reader)
    assert len(many) == len(few)


# Nothing that must not be there


def test_no_secret_is_on_the_page(staff: Client) -> None:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        cpa.enqueue_raw(f'{{"api_key":"{CLIENT_KEY}","source":"{SECRETS[2]}","tokens":[]}}'.encode())
        cpa.enqueue_raw(f"not a record, with {SECRETS[3]} in it".encode())
        instance = read_from(cpa)
        sync_instance(instance)
    html = page(staff)
    assert section(html, "quarantine").count(">Retry<") >= 2
    for secret in (*SECRETS, CLIENT_KEY, instance.management_key, instance.encrypted_key):
        assert secret not in html


def test_a_sample_shows_the_shape_of_a_payload_and_none_of_its_texts(reader: Client, full: Instance) -> None:
    html = section(page(reader), "quarantine").replace("&quot;", '"')
    assert '"model": "gpt-5.4", "failed": "…", "api_key": "…", "tokens": {"total_tokens": 12}' in html
    assert QUARANTINED_KEY[:8] not in html and UPSTREAM_KEY[:12] not in html


def test_a_payload_that_is_too_large_or_unreadable_has_no_sample(reader: Client, full: Instance) -> None:
    first, second, _third = QuarantinedPayload.objects.order_by("pk")
    QuarantinedPayload.objects.filter(pk=first.pk).update(size=10**6)
    QuarantinedPayload.objects.filter(pk=second.pk).update(encrypted_payload="of another SECRET_KEY")
    assert section(page(reader), "quarantine").count('aria-label="no data"') == 2


def test_the_page_holds_nothing_that_the_csp_forbids(staff: Client, full: Instance) -> None:
    html = page(staff)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)", html)
    allowed = r"[a-z]+(-[a-z]+)*|viewbox|x[12]?|y[12]?|preserveaspectratio"
    assert all(re.fullmatch(allowed, name) for name in Attributes(html).names)
    assert not re.search(r"\b(None|nan|undefined|Infinity)\b", re.sub(r"<[^>]*>", "", html))


@pytest.mark.parametrize("state", State.values)
def test_it_never_falls_back_to_english(staff: Client, full: Instance, chinese: None, state: str) -> None:  # noqa: F811
    Instance.objects.update(state=state, reason="", retry_at=NOW + timedelta(minutes=9))
    staff.cookies["django_language"] = "zh-hans"
    html = re.sub(r'<span lang="en">.*?</span>', "", page(staff))
    html += staff.get(f"/collector/{full.pk}/statistics/").content.decode()
    known = ("meter-1:4211", "meter-2:87", "refused", "operator")
    allowed = {"kB", "KB", "MB", "GB", "PUT", "value", "python", "manage", "py", "collect"}
    left = [text for text in leftovers(html) if not any(part in text for part in known)]
    assert [text for text in left if not set(re.findall(r"[A-Za-z]{2,}", text)) <= allowed] == []


# Who may do what


ACTIONS = ["collector_poll", "collector_accounts", "collector_check", "collector_mode", "collector_statistics"]


@pytest.mark.parametrize("name", ACTIONS)
def test_acting_is_for_staff_and_by_post(client: Client, instance: Instance, name: str) -> None:
    address = reverse(name, args=[instance.pk])
    assert client.post(address)["Location"].startswith("/login/")
    client.force_login(get_user_model().objects.create_user("reader"))
    assert client.post(address).status_code == 403
    client.force_login(get_user_model().objects.create_user("operator", is_staff=True))
    assert client.get(address).status_code == (200 if name == "collector_statistics" else 405)
    instance.refresh_from_db()
    assert (instance.state, instance.mode) == (State.NEW, Instance.Mode.AUTO)


def test_rows_are_for_staff_too(reader: Client, full: Instance) -> None:
    gap, row = CollectionGap.objects.filter(acknowledged_at=None)[0], QuarantinedPayload.objects.all()[0]
    assert reader.post(reverse("collector_acknowledge", args=[gap.pk])).status_code == 403
    assert reader.post(reverse("collector_retry", args=[row.pk])).status_code == 403
    report = page(reader).split('<div id="report"')[1].split("</main>")[0]
    assert not re.search(r'<form|<button (?!class="(?:about-it|quiet)" type="button" popovertarget=")', report)
    assert "/admin/" not in page(reader) and "/setup/" not in page(reader)


@pytest.mark.parametrize("name", ACTIONS)
def test_without_a_csrf_token_nothing_happens(instance: Instance, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.create_user("operator", is_staff=True))
    assert client.post(reverse(name, args=[instance.pk]), {"mode": "queue"}).status_code == 403
    instance.refresh_from_db()
    assert (instance.state, instance.mode) == (State.NEW, Instance.Mode.AUTO)


def test_what_does_not_exist_is_not_found(staff: Client) -> None:
    for name in (*ACTIONS, "collector_acknowledge", "collector_retry"):
        assert staff.post(reverse(name, args=[99])).status_code == 404


# What the actions do


def test_poll_now_tells_what_came(staff: Client) -> None:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        instance = read_from(cpa)
        html = act(staff, "collector_poll", instance)
        assert f"{instance.name}: 9 new records, 0 duplicates, 0 unreadable." in html
        assert 'class="banner success" role="status"' in html
        assert f"{instance.name}: no new records." in act(staff, "collector_poll", instance)
    assert "no connection" in act(staff, "collector_poll", instance).lower()


def test_sync_accounts_tells_how_many_there_are(staff: Client) -> None:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        instance = read_from(cpa)
        assert f"{instance.name} lists 8 accounts." in act(staff, "collector_accounts", instance)
    assert 'class="banner error"' in act(staff, "collector_accounts", instance)


def test_testing_the_connection_tells_the_version_or_the_reason(staff: Client) -> None:
    with fake_cpa() as cpa:
        instance = read_from(cpa)
        assert "answers: CLIProxyAPI 7.2.140" in act(staff, "collector_check", instance)
    html = act(staff, "collector_check", instance)
    assert 'class="banner error"' in html and "is CPA running, and the URL right?" in html


def test_a_refused_key_is_sent_once_however_often_one_asks(staff: Client) -> None:
    with fake_cpa() as cpa:
        instance = read_from(cpa)
        instance.management_key = "mgmt-FAKE-wrong"
        instance.save()
        for name in ("collector_check", "collector_poll", "collector_accounts", "collector_statistics"):
            assert "was refused" in act(staff, name, instance)
        assert [seen.status for seen in cpa.requests].count(401) == 1


def test_the_mode_is_chosen_on_the_page(staff: Client, instance: Instance) -> None:
    assert "collection mode is now Subscription." in act(staff, "collector_mode", instance, mode="subscribe")
    instance.refresh_from_db()
    assert instance.mode == Instance.Mode.SUBSCRIBE
    assert "There is no such collection mode." in act(staff, "collector_mode", instance, mode="bogus")


def test_the_mode_is_kept_by_a_form_that_does_not_ask_for_it(staff: Client, instance: Instance) -> None:
    Instance.objects.update(mode="queue")
    form = {"name": "CPA", "base_url": instance.base_url, "management_key": ""}
    staff.post(f"/setup/server/{instance.pk}/", form)
    assert Instance.objects.get().mode == "queue"
    staff.post(f"/setup/server/{instance.pk}/", form | {"mode": "legacy"})
    assert Instance.objects.get().mode == "legacy"


def test_statistics_are_switched_on_after_a_question(staff: Client) -> None:
    with fake_cpa(statistics=False) as cpa:
        instance = read_from(cpa)
        assert "Usage statistics are off" in act(staff, "collector_check", instance)
        address = reverse("collector_statistics", args=[instance.pk])
        assert f'href="{address}"' in page(staff)
        question = staff.get(address).content.decode()
        assert "usage-statistics-enabled: true" in question and f"127.0.0.1:{cpa.port}" in question
        assert "PUT" not in [seen.method for seen in cpa.requests]
        assert "usage statistics are on." in act(staff, "collector_statistics", instance)
        assert [seen.method for seen in cpa.requests].count("PUT") == 1
    instance.refresh_from_db()
    assert (instance.state, instance.statistics_enabled) == (State.OK, True)


def test_a_read_only_configuration_is_for_the_operator(staff: Client) -> None:
    with fake_cpa(statistics=False) as cpa:
        cpa.config_read_only = True
        instance = read_from(cpa)
        html = act(staff, "collector_statistics", instance)
    assert "CPA cannot write its config.yaml; set usage-statistics-enabled: true there by hand." in html


def test_a_gap_is_acknowledged_once_and_leaves_the_banners(staff: Client, full: Instance) -> None:
    for gap in CollectionGap.objects.filter(acknowledged_at=None):
        assert "Gap acknowledged." in act(staff, "collector_acknowledge", gap)
    assert "may be lost" not in page(staff)
    assert not CollectionGap.objects.filter(acknowledged_at=None).exists()


# Quarantine


def quarantine(instance: Instance, raw: bytes) -> QuarantinedPayload:
    Ledger(instance).book([], [Rejected(raw, "a reason of an earlier version", to_micros(NOW))])
    return QuarantinedPayload.objects.get()


def test_what_can_be_read_now_is_booked_and_leaves_the_quarantine(staff: Client, instance: Instance) -> None:
    row = quarantine(instance, record(NOW, request_id="rescued"))
    assert "The record could be read and is booked." in act(staff, "collector_retry", row)
    assert not QuarantinedPayload.objects.exists()
    assert UsageRecord.objects.get().request_id == "rescued"
    assert UsageRecord.objects.get().received_at == NOW


def test_a_retry_of_what_is_booked_already_adds_nothing(staff: Client, instance: Instance) -> None:
    book(instance, payload(NOW, request_id="twice"))
    act(staff, "collector_retry", quarantine(instance, record(NOW, request_id="twice")))
    assert UsageRecord.objects.count() == 1 and not QuarantinedPayload.objects.exists()


def test_the_entry_of_a_snapshot_is_read_as_one(staff: Client, instance: Instance) -> None:
    detail = (
        b'{"timestamp":"2026-11-23T10:00:00Z","source":"","auth_index":"0","tokens":{"total_tokens":7},"failed":false}'
    )
    row = quarantine(instance, b'["' + CLIENT_KEY.encode() + b'","gpt-5.4",' + detail + b"]")
    act(staff, "collector_retry", row)
    booked = UsageRecord.objects.select_related("api_key").get()
    assert booked.api_key and booked.api_key.key_mask == f"{CLIENT_KEY[:4]}...{CLIENT_KEY[-4:]}"


@pytest.mark.parametrize("raw", [b'{"model":"gpt-5.4"}', b"no JSON at all", b'["a","b",7]', b"\xff\xfe"])
def test_what_still_cannot_be_read_stays_with_the_new_reason(staff: Client, instance: Instance, raw: bytes) -> None:
    row = quarantine(instance, raw)
    html = act(staff, "collector_retry", row)
    assert "It still cannot be read:" in html and 'class="banner error"' in html
    row.refresh_from_db()
    assert row.reason and "earlier version" not in row.reason
    assert not UsageRecord.objects.exists()


REFUSED = [
    b"no JSON", b'{"a":', b'{"a":"x', b'{"a" 1}', b'{"a":1}x', b'{"a":"\x01"}', b'{"a":"\\q"}', b"{a:1}", b'{"a":1 2}', b"[1]",
    b"[" * 5000, b'{"model":"m"}', b'{"timestamp":1,"model":"m","failed":true,"tokens":{}}',
    *(
        b'{"timestamp":"%s","model":"m","failed":true,"tokens":{}}' % time
        for time in (b"yesterday", b"2026-01-01", b"1026-01-01T00:00:00Z")
    ),
]  # fmt: skip


def test_reasons_are_in_the_language_of_the_reader(instance: Instance, chinese: None) -> None:  # noqa: F811
    reasons = [*FIXED, "the database refused the record (DataError)", "expected an object, got list"]
    reasons += [split_elements(body).reason for body in (b"{", b"[1,", b"[1 2]")]
    for raw in REFUSED:
        with pytest.raises(Unreadable) as refused:
            read_record(raw)
        reasons.append(str(refused.value))
    with pytest.raises(Unreadable) as refused:
        read_detail("key", "m", [], Twins())
    reasons.append(str(refused.value))
    for reason in reasons:
        with translation.override("en"):
            assert in_words(reason) == reason
        with translation.override("zh-hans"):
            assert re.search("[\u4e00-\u9fff]", in_words(reason)), reason
    with translation.override("zh-hans"):
        assert in_words("a reason of an earlier version") == "a reason of an earlier version"


def test_of_another_secret_key_it_says_so(staff: Client, instance: Instance) -> None:
    row = quarantine(instance, record(NOW))
    QuarantinedPayload.objects.update(encrypted_payload="of another SECRET_KEY")
    assert "SECRET_KEY_FALLBACKS" in act(staff, "collector_retry", row)
    assert QuarantinedPayload.objects.exists()
