"""The Chinese catalogue is complete, and no page falls back to English."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation

from tests.sample_usage import make_sample_usage
from usage.models import Instance, UsageRecord

PO = Path(settings.LOCALE_PATHS[0]) / "zh_Hans" / "LC_MESSAGES" / "django.po"

# Words that are the same in Chinese, and names.
SAME = {
    "Token", "OAuth", "API", "CPA", "CLIProxyAPI", "Meter", "UTC", "URL", "TLS", "ID", "IP", "English", "Django", "CSRF",
    "Cookie", "HTTPS", "RESP", "JSON", "ms", "config", "yaml", "usage", "statistics", "enabled", "true", "remote",
    "management", "secret", "key", "http", "https", "make", "run", "CSV", "RPM", "TPM", "tok", "xx", "KB", "MB", "GB",
    "Shift", "Esc",
}  # fmt: skip
# Of the sample data.
DATA = (
    "alice@example.com", "bob@example.com", "team@example.org", "example.com.cn", "sk-o...77aa", "sk-a...9f3c",
    "https://openrouter.ai/api/v1", "claude-opus-4-6", "claude-sonnet-4-5", "gpt-5-codex", "mystery-model", "claude",
    "codex", "0f1e2d", "Test CPA", "admin", "POST /v1/messages", "Asia/Shanghai", "opus",
)  # fmt: skip


def catalogue(path: Path = PO) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale="zh_Hans")


def messages(path: Path = PO) -> Iterator[Message]:
    return (message for message in catalogue(path) if message.id)


def texts(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def test_every_message_is_translated() -> None:
    assert [message.id for message in messages() if not all(texts(message))] == []


def test_no_translation_is_fuzzy_or_obsolete() -> None:
    assert [message.id for message in messages() if message.fuzzy] == []
    assert not catalogue().obsolete


def test_placeholders_are_those_of_the_message() -> None:
    for message in messages():
        original = message.id[-1] if isinstance(message.id, tuple) else message.id
        for text in texts(message):
            assert sorted(re.findall(r"%\(\w+\)s", text)) == sorted(re.findall(r"%\(\w+\)s", original)), message.id


def test_chinese_stands_apart_from_latin_and_ends_in_its_own_punctuation() -> None:
    for message in messages():
        for text in texts(message):
            assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9%]|[A-Za-z0-9][\u4e00-\u9fff]", text), text
            assert not re.search(r"[\u4e00-\u9fff][,;:?!]", text), text


@pytest.mark.skipif(not shutil.which("xgettext"), reason="gettext is not installed")
def test_the_catalogue_has_every_message_of_the_source(tmp_path: Path) -> None:
    # In a copy, because makemessages writes the catalogue that other tests read.
    for name in ("config", "usage", "channels_app", "templates"):
        shutil.copytree(Path(settings.BASE_DIR) / name, tmp_path / name)
    shutil.copy(Path(settings.BASE_DIR) / "manage.py", tmp_path)
    command = [sys.executable, "manage.py", "makemessages", "-l", "zh_Hans", "--no-location", "--no-wrap"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    found = messages(tmp_path / PO.relative_to(settings.BASE_DIR))
    assert [message.id for message in found if not all(texts(message)) or message.fuzzy] == []


class Words(HTMLParser):
    """What people read of a page: its text, and the attributes that are shown or spoken, but of what is marked as English."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []  # the elements that we are in, and whether they are to be read
        self.feed(html)

    @property
    def _is_read(self) -> bool:
        return self._open[-1][1] if self._open else True

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        # An empty lang is of what others wrote, nobody knows in which language.
        is_read = self._is_read and (tag == "html" or given.get("lang") not in ("en", ""))
        if is_read:
            names = ("title", "aria-label", "placeholder", "alt", "data-label", "data-copied", "data-rows", "data-hide")
            self.found += [given[name] or "" for name in names if name in given]
        if tag not in _VOID:
            self._open.append((tag, is_read and tag not in ("script", "code", "style")))

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Of a drawing; it has nothing in it."""

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass  # what may be left open, such as a list's items

    def handle_data(self, data: str) -> None:
        if data.strip() and self._is_read:
            self.found.append(data.strip())


_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


def leftovers(html: str, data: Iterable[str] = DATA) -> list[str]:
    """Latin words that are neither data nor the same in Chinese."""
    left, known = [], sorted(data, key=len, reverse=True)
    for text in Words(html).found:
        for one in known:
            text = text.replace(one, "")
        words = re.findall(r"[A-Za-z]{2,}", re.sub(r"\d{4}-\d\d-\d\dT\S+|[\d.]+[KMBT]\b|UTC", "", text))
        left += [text for word in words if word not in SAME]
    return left


@pytest.fixture
def chinese() -> Iterator[None]:
    """The catalogue as it is now, compiled; the one of the last install may be older."""
    draft = PO.with_suffix(f".{os.getpid()}.mo")
    with draft.open("wb") as file:
        write_mo(file, catalogue())
    draft.replace(PO.with_suffix(".mo"))
    translation.trans_real._translations.clear()  # type: ignore[attr-defined]
    with translation.override("zh-hans"):
        yield


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/?metric=cost&by=model&stack=share&range=30d&open=claude",
        "/?metric=failed&by=key&range=1h&cmp=off",
        "/?by=type&hide=cache_read&range=all",
        "/?range=yesterday&status=ok",
        "/?range=bogus&metric=nonsense",
        "/channels/",
        "/channels/?open=claude,codex,unknown&sort=-requests",
        "/channels/?sort=-cost&range=all",
        "/channels/?range=yesterday",
        "/channels/?range=bogus&sort=nonsense",
        "/channels/?channel=claude&status=fail&code=4xx&tz=Asia/Shanghai&cmp=week",
        "/channels/?channel=codex&status=fail",
        "/records/",
        "/records/?sort=-cost&cols=hit&cols=tier&cols=request&q=opus&min_cost=0.1&retried=1",
        "/records/?sort=tokens&channel=claude&limit=100",
        "/records/{record}/",
        "/errors/?open=0-0",
        "/errors/?status=ok&sort=nonsense",
        "/explore/",
        "/explore/?metric=success&by=model&by2=channel&log=1&range=24h",
        "/explore/?metric=requests&by=status&view=sum&cmp=off",
        "/explore/?by=type&metric=cost&bucket=nonsense",
        "/explore/?mode=scatter&x=input&y=tokens&color=model",
        "/explore/?mode=scatter&y=cost&min_cost=0.1",
        "/setup/server/",
        "/setup/server/{server}/",
    ],
)
def test_no_page_falls_back_to_english(admin_client: Client, instance: Instance, chinese: None, address: str) -> None:
    make_sample_usage(instance, timezone.now())
    Instance.objects.update(state=Instance.State.OK, synced_at=timezone.now(), statistics_enabled=True, source="queue")
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    html = admin_client.get(
        address.format(server=instance.pk, record=UsageRecord.objects.latest("pk").pk)
    ).content.decode()
    assert '<html lang="zh-Hans"' in html
    allowed = ["range=bogus", "“nonsense”", "=nonsense"]
    assert [text for text in leftovers(html) if not any(part in text for part in allowed)] == []


def test_english_would_be_noticed(admin_client: Client, instance: Instance) -> None:
    assert len(leftovers(admin_client.get("/channels/").content.decode())) > 10


@pytest.mark.parametrize("state", Instance.State.values)
def test_no_empty_state_falls_back_to_english(
    admin_client: Client, instance: Instance, chinese: None, state: str
) -> None:
    Instance.objects.update(state=state, synced_at=timezone.now(), statistics_enabled=False)
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    for address in ("/", "/channels/"):
        assert leftovers(admin_client.get(address).content.decode()) == []


@pytest.mark.parametrize("address", ["/login/", "/login/?next=/setup/server/", "/channels/", "/nothing/"])
def test_no_page_before_the_login_falls_back_to_english(
    client: Client, db: None, django_user_model: Any, chinese: None, address: str
) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    assert leftovers(client.get(address, follow=True).content.decode()) == []
    django_user_model.objects.create_user("admin")
    client.post("/login/", {"username": "admin", "password": "wrong"})
    assert leftovers(client.get(address, follow=True).content.decode()) == []
