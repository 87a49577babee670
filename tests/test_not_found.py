"""An address at which there is nothing: what is named alike is offered, to people who may see it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_app.not_found import similar
from tests.factories import auth_file, auth_files, book, examples, list_names, payload
from usage.models import Account, ApiKey, Channel, Instance, ModelName


@pytest.fixture
def named(instance: Instance) -> None:
    files = [auth_file(f"{name}.json", kind, email=f"{name}@example.com", auth_index=name)
             for name, kind in (("dave", "codex"), ("bob", "claude"))]  # fmt: skip
    list_names(instance, auth_files=auth_files(*files))
    for model in ("gpt-5.4", "gpt-5.4-mini", "claude-opus-4-6"):
        book(instance, payload(request_id=model, model=model, auth_index="dave", provider="codex"))
    ApiKey.objects.update(alias="Nightly builds")


def offered(client: Client, address: str) -> list[tuple[str, str]]:
    answer = client.get(address)
    assert answer.status_code == 404
    html = answer.content.decode()
    part = html[html.index('id="similar"') :].partition("</ul>")[0] if 'id="similar"' in html else ""
    return [(unescape(href), unescape(name)) for href, name in re.findall(r'<a href="([^"]*)">([^<]*)</a>', part)]


def test_names_that_are_alike_are_offered_with_their_pages(reader: Client, named: None) -> None:
    codex, dave = Channel.objects.get(slug="codex"), Account.objects.get(label="dave@example.com")
    mini, key = ModelName.objects.get(name="gpt-5.4-mini"), ApiKey.objects.get()
    assert offered(reader, "/channels/codx/") == [("/channels/codex/", codex.name)]
    assert offered(reader, "/models/GPT-5.4_mini/")[0] == (f"/models/{mini.pk}/", "gpt-5.4-mini")
    assert [name for _page, name in offered(reader, "/models/gpt/")] == ["gpt-5.4", "gpt-5.4-mini"]
    assert offered(reader, "/accounts/dave/") == [(f"/accounts/{dave.pk}/", "dave@example.com")]
    assert offered(reader, "/keys/nightly%20build/") == [(f"/keys/{key.pk}/", "Nightly builds")]
    for address in (*(page for page, _name in offered(reader, "/models/gpt/")), f"/keys/{key.pk}/"):
        assert reader.get(address).status_code == 200


def test_what_no_name_of_its_kind_is_like_may_be_of_another_kind(reader: Client, named: None) -> None:
    assert [name for _page, name in offered(reader, "/channels/claude-opus-4-6/")][:1] == ["claude"]
    assert [name for _page, name in offered(reader, "/channels/gpt-5.4-mimi/")][:1] == ["gpt-5.4-mini"]


def test_a_misspelt_page_is_found(reader: Client, named: None) -> None:
    assert offered(reader, "/chanels/") == [("/channels/", "/channels/")]
    assert offered(reader, "/record/5/") == [("/records/", "/records/")]
    assert offered(reader, "/nothing/") == []


def test_ids_that_are_gone_are_like_nothing(reader: Client, named: None) -> None:
    for address in ("/models/99999/", "/accounts/99999/", "/keys/99999/"):
        assert offered(reader, address) == []


def test_nobody_else_is_told_a_name(client: Client, named: None) -> None:
    assert offered(client, "/channels/nowhere/codex/") == [] and offered(client, "/models/gpt-5.4-mimi/") == []


def test_privacy_mode_is_kept(reader: Client, named: None) -> None:
    reader.post("/preferences/privacy/", {"privacy": "on"})
    assert "dave" not in str(offered(reader, "/accounts/dave/")) and offered(reader, "/keys/nightly/") == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(30))
@given(st.sampled_from(["channels", "accounts", "models", "keys"]), st.text(max_size=40))
def test_any_words_are_answered(named: None, kind: str, words: str) -> None:
    assert len(list(similar(f"/{kind}/{words}/"))) <= 5
