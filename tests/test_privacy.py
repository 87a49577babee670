"""Privacy mode: no e-mail and no name of an account or key in any page, file or answer of who has it on; all of them else."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from knox.models import AuthToken

from tests.sample_usage import make_sample_usage
from usage import privacy
from usage.models import (
    Account,
    ApiKey,
    ClientTraits,
    FailureText,
    Instance,
    Preferences,
    PriceMultiplier,
    QuotaWindow,
    Reconciliation,
    Source,
    UsageRecord,
)

EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
NAMES = (
    "alice",
    "bob@",
    "team@",
    "很长的账号名",
    "sk-o...77aa",
    "sk-a...9f3c",
    "Dave’s laptop",
    "sk-d...1234",
    "ophelia",
    "198.51.100.7",
    "2001:db8::42",
)

PAGES = [
    "/", "/?by=account", "/?by=key", "/channels/?open=claude,codex,unknown,openrouter-ai-api-v1", "/quota/", "/records/", "/errors/?open=0-0", "/explore/?by=account&by2=key", "/explore/?mode=scatter&color=key",
    "/records/?sort=-cost", "/records/?cols=ip&cols=agent&status=fail", "/records/{record}/", "/records/{record}/?partial=1", "/prices/", "/prices/multipliers/",
    "/prices/multipliers/add/", "/prices/add/", "/prices/?model=gpt-5-codex&account=1", "/collector/", "/filters/account/",
    "/filters/key/", "/channels/?account={account}&key={key}", "/records/?range=7d&format=csv",
    "/channels/claude/?view=key", "/channels/unknown/", "/accounts/{account}/", "/keys/", "/keys/?edit={key}",
    "/keys/{key}/?view=account", "/keys/?format=json", "/channels/claude/?format=csv", "/models/",
    "/settings/names/", "/settings/names/?of=keys", "/settings/users/", "/settings/tokens/", "/errors/",
    "/explore/?by=account", "/explore/?mode=scatter&color=account",
]  # fmt: skip
ANSWERS = [
    "/api/channels/", "/api/usage/?by=account&by=key", "/api/usage/?by=source", "/api/usage/series/?by=account",
    "/api/records/", "/api/records/{record}/", "/api/quota/", "/api/client-requests/paths/?range=7d", "/api/prices/",
    "/api/latency/?by=account", "/api/rates/", "/api/multipliers/", "/api/prices/resolve/?model=gpt-5-codex&account={account}",
]  # fmt: skip


@pytest.fixture
def ledger(instance: Instance) -> dict[str, Any]:
    """Every kind of name there is; what fills the places of the addresses."""
    now = timezone.now()
    make_sample_usage(instance, now)
    alice = Account.objects.get(label="alice@example.com")
    key = ApiKey.objects.create(key_digest=b"d" * 16, key_mask="sk-d...1234", alias="Dave’s laptop")
    record = UsageRecord.objects.filter(failed=True, source__account=alice)[0]
    UsageRecord.objects.filter(source__account=alice).update(api_key=key)
    record.client = ClientTraits.objects.create(
        ip="198.51.100.7", forwarded_for="2001:db8::42, 198.51.100.7", user_agent="cli"
    )
    record.save()
    FailureText.objects.create(record=record, text='{"error":"account bob@example.com is over its limit"}')
    PriceMultiplier.objects.create(account=alice, factor="0.3")
    numbers = {"counter": 10, "counted": 10, "booked": 9, "sum_booked": 9, "missing": 1, "ceiling": 10}
    Reconciliation.objects.create(account=alice, since=now, checked_at=now, day=now, **numbers)
    for source in Source.objects.all():
        QuotaWindow.objects.create(
            source=source, name="5h", minutes=300, used_percent=50, resets_at=now + timedelta(hours=1), seen_at=now
        )
    return {"record": record.pk, "account": alice.pk, "key": key.pk}


def private(client: Client, state: str = "on") -> Client:
    client.post("/preferences/privacy/", {"privacy": state})
    return client


def body(client: Client, address: str, **headers: str) -> str:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200, address
    return b"".join(answer.streaming_content).decode() if answer.streaming else answer.content.decode()


def told(text: str) -> set[str]:
    return set(EMAIL.findall(text)) | {name for name in NAMES if name in text}


@pytest.mark.django_db
def test_nothing_is_told_to_who_has_it_on(client: Client, ledger: dict[str, Any]) -> None:
    client.force_login(get_user_model().objects.create_superuser("ophelia"))
    seen = set()
    for address in (*PAGES, *ANSWERS):
        seen |= told(body(client, address.format(**ledger)))
    assert {"alice@example.com", "bob@example.com", "Dave’s laptop", "sk-a...9f3c", "ophelia"} <= seen
    private(client)
    for address in (*PAGES, *ANSWERS):
        assert (address, told(body(client, address.format(**ledger)))) == (address, set())


@pytest.mark.django_db
def test_names_give_way_to_numbers_that_stay(reader: Client, ledger: dict[str, Any]) -> None:
    html = body(private(reader), "/channels/?open=claude")
    assert f"claude #{ledger['account']}" in html and "Privacy mode</span>" in html
    csv = body(reader, "/records/?format=csv")
    assert f"claude #{ledger['account']}" in csv and f"Key #{ledger['key']}" in csv
    detail = body(reader, f"/records/{ledger['record']}/")
    assert "b•••@e•••.com is over its limit" in detail
    assert "<dd>198.51.x.x</dd>" in detail and "<dd>2001:0db8:x:x, 198.51.x.x</dd>" in detail


@pytest.mark.django_db
def test_figures_stay_the_same(reader: Client, ledger: dict[str, Any]) -> None:
    address = "/api/usage/?by=account&from=2020-01-01&to=2099-01-01"
    before = reader.get(address).json()
    after = private(reader).get(address).json()
    assert [row["usage"] for row in before["rows"]] == [row["usage"] for row in after["rows"]]
    assert [row["account"]["id"] for row in before["rows"]] == [row["account"]["id"] for row in after["rows"]]


@pytest.mark.django_db
def test_it_is_the_persons_who_has_it_on_also_by_token(client: Client, ledger: dict[str, Any]) -> None:
    ann, ben = (get_user_model().objects.create_user(name) for name in ("ann", "ben"))
    tokens = {user.username: AuthToken.objects.create(user)[1] for user in (ann, ben)}
    client.force_login(ann)
    private(client)
    client.logout()
    for name, sees in (("ann", False), ("ben", True), ("ann", False)):
        text = body(client, "/api/channels/", authorization=f"Token {tokens[name]}")
        assert ("alice@example.com" in text) is sees


@pytest.mark.django_db
def test_it_can_be_turned_off_and_is_off_for_who_never_chose(reader: Client, ledger: dict[str, Any]) -> None:
    assert "alice@example.com" in body(reader, "/channels/?open=claude")
    assert "alice@example.com" not in body(private(reader), "/channels/?open=claude")
    assert "alice@example.com" in body(private(reader, "off"), "/channels/?open=claude")
    assert Preferences.objects.count() == 1


@pytest.mark.django_db
def test_turning_it_on_leads_back_to_the_page_and_nowhere_else(reader: Client) -> None:
    def leads_to(back: str) -> str:
        return str(reader.post("/preferences/privacy/", {"privacy": "on", "next": back})["Location"])

    assert leads_to("/records/?range=7d") == "/records/?range=7d"
    assert leads_to("https://example.com/") == "/"
    assert reader.get("/preferences/privacy/").status_code == 405


@pytest.mark.django_db
def test_who_is_not_signed_in_has_none(client: Client) -> None:
    assert client.post("/preferences/privacy/", {"privacy": "on"})["Location"].startswith("/login/")
    assert not Preferences.objects.exists()


@pytest.mark.django_db
def test_the_admin_is_shut_meanwhile(admin_client: Client, ledger: dict[str, Any]) -> None:
    private(admin_client)
    for address in ("/admin/", "/admin/usage/account/", f"/admin/usage/apikey/{ledger['key']}/change/"):
        answer = admin_client.get(address)
        assert answer.status_code == 403 and "Turn privacy mode off" in answer.content.decode()
    assert admin_client.post(f"/admin/usage/apikey/{ledger['key']}/change/", {"alias": "x"}).status_code == 403
    assert ApiKey.objects.get(pk=ledger["key"]).alias == "Dave’s laptop"
    assert admin_client.get("/admin/password_change/").status_code == 200
    assert private(admin_client, "off").get("/admin/").status_code == 200


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("alice@example.com", "a•••@e•••.com"),
        ("<td title='alice.b+c@mail.example.com.cn'>", "<td title='a•••@m•••.cn'>"),
        ('{"name":"x@y.io","to":"z@y.io"}', '{"name":"x•••@y•••.io","to":"z•••@y•••.io"}'),
        ("很长@例子.公司 账号", "很•••@例•••.公司 账号"),
        ("@media print, a@b, user@localhost, 5 @ 3.50", "@media print, a@b, user@localhost, 5 @ 3.50"),
        ("alice@example.com." * 2, "a•••@e•••.com."),
    ],
)
def test_emails_are_found_in_any_text(text: str, shown: str) -> None:
    assert privacy.without_emails(text) == shown


@given(before=st.text(), rest=st.text("ab3.+-_", max_size=30), after=st.text())
def test_no_email_survives(before: str, rest: str, after: str) -> None:
    local = f"a{rest}"
    shown = privacy.without_emails(f"{before} {local}@mail.example.com {after}")
    assert f"{local}@mail" not in shown and "mail.example" not in shown


def test_a_long_text_without_one_takes_no_time() -> None:
    text = "a" * 300_000 + "@" + "b." * 100_000
    started = timezone.now()
    privacy.without_emails(text)
    assert timezone.now() - started < timedelta(seconds=2)


def test_outside_of_requests_nobody_has_it_on() -> None:
    assert not privacy.is_on() and privacy.alias("alice@example.com", "claude", 1) == "alice@example.com"
