"""The Prices page hands prices out as CSV and takes them back: previewed, then all or none."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client

from channels_app.prices_page import import_views
from tests.test_catalogue import chinese, leftovers  # noqa: F401
from tests.test_prices_page import errors, page, rows, text_of
from tests.test_pricing import add_price
from usage.models import ModelPrice
from usage.prices import csv_file

pytestmark = pytest.mark.django_db
FILE = "\ufeffpattern,service_tier,input,output,cached_input\r\nnew-*,,2,8,\r\nold-FAKE,,1.5,4,\r\nsame-FAKE,,1,1,\r\n"


@pytest.fixture
def there(db: None) -> None:
    add_price("old-FAKE", "1", "4", cached_input=Decimal("0.1"))
    add_price("same-FAKE", "1", "1")


def upload(client: Client, content: str | bytes) -> Any:
    content = content if isinstance(content, bytes) else content.encode()
    return client.post("/prices/import/", {"file": SimpleUploadedFile("prices.csv", content)})


def refused(client: Client, content: str | bytes) -> str:
    before = list(ModelPrice.objects.values())
    answer = upload(client, content)
    assert answer.status_code == 200
    assert list(ModelPrice.objects.values()) == before
    assert not Session.objects.exclude(pk=client.session.session_key).exists()
    return str(answer.content.decode())


def prices() -> dict[str, Decimal]:
    return dict(ModelPrice.objects.values_list("pattern", "input"))


def test_preview_tells_what_would_change_and_writes_nothing(staff: Client, there: None) -> None:
    before = list(ModelPrice.objects.values())
    html = page(staff, upload(staff, FILE)["Location"])
    assert list(ModelPrice.objects.values()) == before
    assert rows(html, "New") == [["new-*", "always", "input 2.00 output 8.00"]]
    assert rows(html, "Changed") == [["old-FAKE", "always", "input 1 → 1.5 cached input 0.1 → = input"]]
    assert "Unchanged: 1" in text_of(html) and "Apply 2 changes" in html


def test_applied_once_and_the_result_stays(staff: Client, there: None) -> None:
    address = upload(staff, FILE)["Location"]
    for _ in range(2):
        html = staff.post(address, follow=True).content.decode()
        assert "2 rows written." in html
    assert "2 rows written." in page(staff, address) and "<form" not in html[html.index("<main") :]
    assert prices() == {"new-*": 2, "old-FAKE": Decimal("1.5"), "same-FAKE": 1}
    assert ModelPrice.objects.get(pattern="old-FAKE").cached_input is None


def test_prices_that_changed_meanwhile_make_it_stale(staff: Client, there: None) -> None:
    address = upload(staff, FILE)["Location"]
    ModelPrice.objects.get(pattern="same-FAKE").delete()
    for html in (staff.post(address).content.decode(), page(staff, address)):
        assert "Prices have changed since this preview was made" in html
    assert prices() == {"old-FAKE": 1}


def test_what_was_exported_changes_nothing(staff: Client, there: None) -> None:
    add_price("=evil", "1", "1", service_tier="priority", above_input_tokens=272_000)
    assert 'href="/api/prices/?format=csv"' in page(staff)
    exported = staff.get("/api/prices/?format=csv")
    assert exported["Content-Disposition"] == 'attachment; filename="prices.csv"'
    html = page(staff, upload(staff, exported.content)["Location"])
    assert "Unchanged: 3" in text_of(html) and "Nothing is new and nothing has changed." in html


def test_mistakes_are_told_by_line_beside_the_file(staff: Client, there: None) -> None:
    html = refused(staff, "pattern,input,output\nok,1,1\nbad,-1,cheap\n")
    assert errors(html) == {"file": "The file has 2 mistakes: nothing was changed."}
    assert rows(html, "Mistakes") == [
        ["Line 3", "input", "-1", "Ensure this value is greater than or equal to 0."],
        ["Line 3", "output", "cheap", "Enter a number."],
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\xff", "Line 1 is no UTF-8"),
        (b"price\n1\n", "“price” is no column"),
        (b"pattern,input,output\n1,2\n", "Line 2 has 2 cells"),
        (b"pattern,input,output,currency\nm,1,2,CNY\n", "“currency” is no column"),
    ],
)
def test_file_that_is_no_table_of_prices(staff: Client, there: None, content: bytes, words: str) -> None:
    assert words in errors(refused(staff, content))["file"]


def test_huge_file(staff: Client, there: None) -> None:
    assert "more than 8 MB" in errors(refused(staff, b"x" * (csv_file.MOST_BYTES + 1)))["file"]


def test_long_preview_is_cut_and_applied_whole(staff: Client, there: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_views, "_SHOWN", 2)
    address = upload(staff, "pattern,input,output\n" + "".join(f"m-{n},1,1\n" for n in range(5)))["Location"]
    html = page(staff, address)
    assert len(rows(html, "New")) == 2 and "3 more" in html
    staff.post(address)
    assert ModelPrice.objects.count() == 7


def test_preview_is_its_makers_alone(staff: Client, there: None) -> None:
    address = upload(staff, FILE)["Location"]
    other = Client()
    other.force_login(get_user_model().objects.create_user("another", is_staff=True))
    assert "no longer kept" in other.post(address, follow=True).content.decode()
    sync = address.replace("import", "sync")
    assert "no longer kept" in staff.get(sync, follow=True).content.decode()
    assert prices() == {"old-FAKE": 1, "same-FAKE": 1}


def test_no_state_falls_back_to_english(admin_client: Client, there: None, chinese: None) -> None:  # noqa: F811
    admin_client.cookies[django_settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    preview, stale = upload(admin_client, FILE)["Location"], upload(admin_client, FILE)["Location"]
    states = [
        page(admin_client, "/prices/import/"),
        upload(admin_client, "pattern,input,output\nm,-1,1\n").content.decode(),
        page(admin_client, preview),
        admin_client.post(preview, follow=True).content.decode(),
        page(admin_client, stale),
    ]
    for html in states:
        assert [text for text in leftovers(html) if "FAKE" not in text and "MB" not in text] == []


@pytest.mark.django_db(transaction=True)
def test_of_many_who_apply_at_once_one_does(django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("operator", is_staff=True)
    staff = Client()
    staff.force_login(user)
    address = upload(staff, "pattern,input,output\n" + "".join(f"m-{n},1,1\n" for n in range(50)))["Location"]
    start, codes = threading.Barrier(4), list[int]()

    def apply() -> None:
        client = Client()
        client.cookies["sessionid"] = staff.cookies["sessionid"].value
        start.wait()
        codes.append(client.post(address).status_code)
        connections.close_all()

    threads = [threading.Thread(target=apply) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [302] * 4
    assert ModelPrice.objects.count() == 50
    assert "50 rows written." in page(staff, address)
