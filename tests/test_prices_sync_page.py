"""The Prices page takes over a price list: previewed, chosen from, and applied as it was shown."""

from __future__ import annotations

import json
import re
import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from channels_app.prices_page import sync_form, sync_page
from tests.factories import book, payload
from tests.fake_cpa.self_signed import self_signed
from tests.test_catalogue import chinese, leftovers  # noqa: F401
from tests.test_price_lists import models_dev_list, publisher, send
from tests.test_prices_page import banners, errors, page, rows, text_of
from tests.test_pricing import OWN, add_price
from usage.housekeeping.jobs import prune
from usage.models import Instance, ModelPrice
from usage.models.fields import EPOCH
from usage.price_lists import loading, models_dev, public_address
from usage.price_lists.loading import from_url

pytestmark = pytest.mark.django_db
Origin = ModelPrice.Origin
COST = {"input": 2, "output": 10, "cache_read": 0.2}
OTHER, THIRD, DEAR = "other-FAKE", "third-FAKE", {"input": 9, "output": 9}


@pytest.fixture
def met(instance: Instance) -> Instance:
    for model in (OWN, OTHER, THIRD):
        book(instance, payload(model=model, request_id=model))
    return instance


def file_of(document: object) -> SimpleUploadedFile:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return SimpleUploadedFile("list.json", content)


def ask(client: Client, **fields: Any) -> Any:
    return client.post("/prices/sync/", {"source": "models.dev"} | fields)


def previewed(client: Client, document: object) -> str:
    """The address of the preview of a list of models.dev."""
    answer = ask(client, file=file_of(document))
    assert answer.status_code == 302, errors(answer.content.decode())
    return str(answer["Location"])


def refused(client: Client, **fields: Any) -> dict[str, str]:
    before = list(ModelPrice.objects.values())
    answer = ask(client, **fields)
    assert answer.status_code == 200
    assert list(ModelPrice.objects.values()) == before
    assert not Session.objects.exclude(pk=client.session.session_key).exists()
    return errors(answer.content.decode())


def prices() -> list[tuple[str, str, Decimal]]:
    return list(ModelPrice.objects.order_by("pattern", "effective_from").values_list("pattern", "origin", "input"))


def everything() -> dict[str, Any]:
    """A list by which OWN is new, OTHER changed, and THIRD one of two."""
    vendors = {"openai": {OWN: COST, OTHER: COST}, "a": {THIRD: COST}, "b": {THIRD: DEAR}}
    return {
        vendor: {"models": {model: {"id": model, "cost": cost} for model, cost in models.items()}}
        for vendor, models in vendors.items()
    }


@pytest.fixture
def groups(met: Instance) -> None:
    """Of each group of the preview a model."""
    add_price(OTHER, "1.6", "10", cached_input=Decimal("0.2"), origin=Origin.MODELS_DEV, locked=False)
    for model in ("locked-FAKE", "same-FAKE"):
        book(met, payload(model=model, request_id=model))
    add_price("locked-*", "1", "1")
    add_price("same-FAKE", "2", "10", cached_input=Decimal("0.2"), origin=Origin.MODELS_DEV, locked=False)


def all_groups() -> dict[str, Any]:
    document = everything()
    for model in ("locked-FAKE", "same-FAKE"):
        document["openai"]["models"][model] = {"id": model, "cost": COST}
    return document


# Preview


def test_preview_tells_every_group_and_writes_nothing(staff: Client, groups: None) -> None:
    before = list(ModelPrice.objects.values())
    html = page(staff, previewed(staff, all_groups()))
    assert list(ModelPrice.objects.values()) == before
    assert rows(html, "New") == [[OWN, f"openai/{OWN}", "input 2.00 cached input 0.20 output 10.00"]]
    assert rows(html, "Changed") == [
        [OTHER, f"openai/{OTHER}", "input 1.60 → 2.00 (+25.0%) cache write 1.60 → 2.00 (+25.0%)"]
    ]
    ((model, candidates),) = rows(html, "Ambiguous")
    assert model == THIRD
    assert candidates == (
        f"Leave alone {THIRD} a/{THIRD} input 2.00 cached input 0.20 output 10.00 b/{THIRD} input 9.00 output 9.00"
    )
    said = text_of(html)
    assert "Locked by a person, left alone 1 locked-FAKE" in said and "Unchanged 1 same-FAKE" in said
    assert html.count('type="checkbox"') == html.count(" checked> <code>") == 2
    assert "Apply 2 changes" in said


def test_what_is_chosen_is_applied_as_it_was_shown(staff: Client, groups: None) -> None:
    address = previewed(staff, all_groups())
    numbers = dict(re.findall(r'name="take" value="(\d+)" checked> <code>([\w-]+)<', page(staff, address)))
    taken = [number for number, model in numbers.items() if model == OTHER]
    third = re.search(r'name="(candidate-\d+)" value="1"', page(staff, address))
    assert third
    answer = staff.post(address, {"take": taken, third[1]: "1"}, follow=True)
    assert (OWN, "models.dev", Decimal(2)) not in prices()
    assert [row for row in prices() if row[0] == OTHER] == [
        (OTHER, "models.dev", Decimal("1.6")), (OTHER, "models.dev", Decimal(2)),
    ]  # fmt: skip
    assert [row for row in prices() if row[0] == THIRD] == [(THIRD, "models.dev", Decimal(9))]
    for html in (answer.content.decode(), page(staff, address)):
        assert "2 prices written from models.dev." in html
        assert rows(html, "Prices written") == [[OTHER, "1"], [THIRD, "1"]]


def test_list_that_says_something_else_a_second_later_does_not_matter(
    staff: Client, met: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_form, "from_url", lambda url, **_: from_url(url, loopback=True))
    answers = iter([json.dumps(models_dev_list(cost, model=OWN)).encode() for cost in (COST, DEAR)])
    with publisher(lambda handler: send(200, next(answers))(handler)) as url:
        address = ask(staff, url=url)["Location"]
        staff.post(address, {"take": "0"})
    assert prices() == [(OWN, "models.dev", Decimal(2))]
    assert next(answers)  # nobody asked again


def test_applying_twice_writes_once(staff: Client, met: Instance) -> None:
    address = previewed(staff, models_dev_list(COST, model=OWN))
    for _ in range(2):
        staff.post(address, {"take": "0"})
    assert prices() == [(OWN, "models.dev", Decimal(2))]
    assert ModelPrice.objects.get().effective_from == EPOCH


def test_nothing_chosen_is_told(staff: Client, met: Instance) -> None:
    address = previewed(staff, everything())
    for wrong in ({}, {"take": "99"}, {"take": "x"}, {"candidate-2": "7"}, {"candidate-x": ""}):
        html = staff.post(address, wrong).content.decode()
        assert "Choose what is to be applied. Nothing was changed." in html and 'name="take"' in html
    assert prices() == []


def test_prices_that_changed_meanwhile_make_a_preview_stale(staff: Client, met: Instance) -> None:
    address = previewed(staff, models_dev_list(COST, model=OWN))
    row = add_price(OWN, "1", "1")
    for html in (page(staff, address), staff.post(address, {"take": "0"}).content.decode()):
        assert "Prices have changed since this preview was made" in html and 'name="take"' not in html
    assert prices() == [(OWN, "manual", Decimal(1))]
    row.delete()


def test_nothing_to_do_is_said(staff: Client, met: Instance) -> None:
    html = page(staff, previewed(staff, models_dev_list(COST, model="nobody-uses-it")))
    assert (
        "Nothing is new and nothing has changed." in html and "<button class=" not in html[html.index("data-picks") :]
    )
    assert "Not in this list 3" in text_of(html)


def test_more_than_a_form_can_hold_comes_in_parts(
    staff: Client, met: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_page, "_MOST", 1)
    html = page(staff, previewed(staff, everything()))
    assert html.count('name="take"') == 1 and "2 more models come with the next preview." in html


def test_conditions_and_dates_of_the_catalog(staff: Client, instance: Instance) -> None:
    book(instance, payload(model="gpt-5.4"))
    ModelPrice.objects.filter(service_tier="").update(input=1)
    address = ask(staff, source="genai-prices")["Location"]
    changed = rows(page(staff, address), "Changed")
    assert [row[0] for row in changed] == ["gpt-5.4"] and "input 1.00 → 2.50 (+150.0%)" in changed[0][2]
    staff.post(address, {"take": "0"})
    assert ModelPrice.objects.filter(pattern="gpt-5.4", input=Decimal("2.5"), origin=Origin.CATALOG).exists()


def test_markup_in_a_list_is_text(staff: Client, instance: Instance) -> None:
    evil = "<script>alert(1)</script>"
    book(instance, payload(model=evil))
    html = page(staff, previewed(staff, models_dev_list(COST, model=evil)))
    assert evil not in html and "&lt;script&gt;" in html


# Who, and how long


@pytest.mark.parametrize("address", ["/prices/sync/", "/prices/sync/nothing/", "/prices/import/", "/prices/matches/"])
def test_only_staff_may(client: Client, address: str) -> None:
    client.force_login(get_user_model().objects.create_user("reader"))
    assert client.get(address).status_code == client.post(address).status_code == 403
    client.logout()
    assert client.get(address)["Location"] == f"/login/?next={address}"


def test_preview_is_its_makers_alone(staff: Client, met: Instance) -> None:
    address = previewed(staff, models_dev_list(COST, model=OWN))
    other = Client()
    other.force_login(get_user_model().objects.create_user("another", is_staff=True))
    for answer in (other.get(address, follow=True), other.post(address, {"take": "0"}, follow=True)):
        assert banners(answer.content.decode()) == ["That preview is no longer kept. Make it again."]
    assert prices() == []


def test_preview_is_no_session_and_a_session_no_preview(staff: Client, met: Instance) -> None:
    address = previewed(staff, models_dev_list(COST, model=OWN))
    thief = Client()
    thief.cookies["sessionid"] = address.split("/")[-2]
    assert thief.get("/prices/")["Location"].startswith("/login/")
    answer = staff.get(f"/prices/sync/{staff.session.session_key}/", follow=True)
    assert "no longer kept" in answer.content.decode()


def test_preview_expires_and_is_deleted(staff: Client, met: Instance) -> None:
    address = previewed(staff, models_dev_list(COST, model=OWN))
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert "no longer kept" in staff.get(address, follow=True).content.decode()
        prune()
    assert not Session.objects.filter(pk=address.split("/")[-2]).exists()


# Bad input: told beside the field, nothing changed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"openai": {"mod', "list.json is not the JSON of a price list, or only a part of it"),
        (b"\xff\xfe", "list.json is not the JSON"),
        (b"", "empty"),
        (b'{"currency": "CNY"}', "the list is in CNY; prices are read in USD only"),
        (b'{"x": {"models": {"y": {"cost": {"input": -1, "output": 1}}}}}', "x.models.y.cost.input is -1"),
        (b"{}", "no model with prices in the form of models.dev"),
    ],
)
def test_bad_file(staff: Client, met: Instance, content: bytes, words: str) -> None:
    found = refused(staff, file=file_of(content))
    assert list(found) == ["file"] and words in found["file"]


def test_huge_file(staff: Client, met: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MOST_BYTES", 3 * 2**20)
    monkeypatch.setattr(sync_form, "MOST_BYTES", 3 * 2**20)
    assert "list.json has more than 3 MB" in refused(staff, file=file_of(b" " * (4 * 2**20)))["file"]


@pytest.mark.parametrize(
    ("fields", "wrong", "words"),
    [
        ({"source": ""}, "source", "required"),
        ({"source": "bogus"}, "source", "bogus is not one of the available choices"),
        ({"source": "genai-prices", "url": "https://models.dev/api.json"}, "url", "genai-prices is installed here"),
        ({"url": "https://models.dev/api.json", "file": file_of(b"{}")}, "url", "not both"),
        ({"url": "http://models.dev/api.json"}, "url", "no address that begins with https://"),
        ({"url": "file:///etc/passwd"}, "url", "no address that begins with https://"),
        ({"url": "x" * 501}, "url", "at most 500"),
    ],
)
def test_bad_field(staff: Client, met: Instance, fields: dict[str, Any], wrong: str, words: str) -> None:
    found = refused(staff, **fields)
    assert list(found) == [wrong] and words in found[wrong]


def test_typed_address_is_kept(staff: Client, met: Instance) -> None:
    html = ask(staff, url="http://kept.example/").content.decode()
    assert 'value="http://kept.example/"' in html and 'value="models.dev" id="id_source_1" required checked' in html


class TestAddress:
    """What the page asks is asked from here: of this machine and its network it gets nothing."""

    @pytest.fixture
    def loopback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sync_form, "from_url", lambda url, **_: from_url(url, loopback=True, seconds=0.5))

    def test_redirect(self, staff: Client, met: Instance, loopback: None) -> None:
        with publisher(send(302, Location="https://elsewhere.example/")) as url:
            words = refused(staff, url=url)["url"]
        assert words == (
            "127.0.0.1 redirects to https://elsewhere.example/, which is not followed; give that address if you trust "
            "it. Nothing was changed."
        )

    def test_server_that_hangs(self, staff: Client, met: Instance, loopback: None) -> None:
        done = threading.Event()
        with publisher(lambda handler: done.wait(5)) as url:
            words = refused(staff, url=url)["url"]
            done.set()
        assert "127.0.0.1 cannot be read: no answer in time" in words
        assert "0.5 s in all" in words and "HTTPS_PROXY" in words

    def test_failure_of_the_own_address_is_told_beside_the_list(
        self, staff: Client, met: Instance, loopback: None, settings: Any
    ) -> None:
        settings.PRICE_SOURCE, settings.PRICE_URL = "models.dev", "http://127.0.0.1:9/"
        assert "http://127.0.0.1:9/" in page(staff, "/prices/sync/")
        assert "127.0.0.1 cannot be read" in refused(staff)["source"]

    def test_own_address(self, staff: Client, met: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Any] = []
        monkeypatch.setattr(
            sync_form, "from_url", lambda url, **rest: asked.append((url, rest)) or models_dev_list(COST, model=OWN)
        )
        ask(staff)
        ask(staff, url="https://mirror.example/")
        assert asked == [
            (models_dev.URL, {"seconds": 20.0}), ("https://mirror.example/", {"public": True, "seconds": 20.0}),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1", "localhost", "10.0.0.8", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "[::1]",
            "[fd00::1]", "[fe80::1]", "[::ffff:10.0.0.8]", "2130706433", "0x7f.1", "224.0.0.1",
        ],
    )  # fmt: skip
    def test_inner_addresses_are_not_asked(self, staff: Client, met: Instance, host: str) -> None:
        assert "which is not on the public internet" in refused(staff, url=f"https://{host}/api.json")["url"]

    def test_name_that_leads_inside_is_not_asked(
        self, staff: Client, met: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also where but one of its addresses does."""
        monkeypatch.setattr(public_address.socket, "getaddrinfo", lookup("1.1.1.1", "10.0.0.8"))
        words = refused(staff, url="https://inside.example/")["url"]
        assert words.startswith("inside.example is 10.0.0.8, which is not on the public internet")

    def test_address_that_was_looked_up_is_the_one_that_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(public_address.socket, "getaddrinfo", lookup("203.0.113.7", "203.0.113.7"))
        monkeypatch.setattr(public_address, "_is_public", lambda text: True)
        asked: list[Any] = []
        monkeypatch.setattr(loading, "_download", lambda *place: asked.append(place) or b"{}")
        from_url("https://models.example:8443/x", public=True)
        ((address, host, _seconds),) = asked
        assert (str(address), host) == ("https://models.example:8443/x", "203.0.113.7")

    def test_host_stays_the_one_that_was_named(self) -> None:
        hosts: list[str] = []

        def answer(handler: Any) -> None:
            hosts.append(handler.headers["Host"])
            send(200)(handler)

        with publisher(answer) as url:
            address = loading._address(url.replace("127.0.0.1", "localhost"), loopback=True)
            loading._download(address, "127.0.0.1", 2)
        assert hosts == [address.netloc.decode()]

    def test_address_that_was_looked_up_must_prove_to_be_the_host(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        context, authority = self_signed(tmp_path, "list.example")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        monkeypatch.setattr(loading, "resolve", lambda host, port: "127.0.0.1")
        with publisher(send(200, b'{"a": 1}'), context) as url:
            assert from_url(url.replace("127.0.0.1", "list.example"), public=True) == {"a": 1}
            with pytest.raises(ValueError, match=r"other\.example cannot be read: .*certificate"):
                from_url(url.replace("127.0.0.1", "other.example"), public=True)

    def test_name_that_nobody_knows(self, staff: Client, met: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: Any, **__: Any) -> Any:
            raise OSError("Name or service not known")

        monkeypatch.setattr(public_address.socket, "getaddrinfo", unknown)
        words = refused(staff, url="https://nowhere.invalid/")["url"]
        assert words.startswith("nowhere.invalid cannot be read: Name or service not known (given 10 s to connect")

    def test_proxy_finds_hosts_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
        monkeypatch.setenv("no_proxy", "direct.example")
        assert public_address.resolve("anywhere.example", 443) == "anywhere.example"
        monkeypatch.setattr(public_address.socket, "getaddrinfo", lookup("10.0.0.8"))
        with pytest.raises(ValueError, match="not on the public internet"):
            public_address.resolve("direct.example", 443)


def lookup(*addresses: str) -> Any:
    return lambda *_, **__: [(None, None, None, "", (address, 443)) for address in addresses]


# In Chinese


def test_no_state_falls_back_to_english(admin_client: Client, groups: None, chinese: None) -> None:  # noqa: F811
    admin_client.cookies[django_settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    preview = previewed(admin_client, all_groups())
    states = [
        page(admin_client, "/prices/sync/"),
        ask(admin_client, source="genai-prices", url="http://x.example/").content.decode(),
        page(admin_client, preview),
        admin_client.post(preview).content.decode(),
        admin_client.post(preview, {"take": ["0", "1"]}, follow=True).content.decode(),
        page(admin_client, previewed(admin_client, models_dev_list(COST, model=OWN))),
    ]
    data = ("FAKE", "openai/", "models.dev", "genai-prices", "LiteLLM", "https://", "http://", ".json")
    for html in states:
        assert [text for text in leftovers(html) if not any(word in text for word in data)] == []
