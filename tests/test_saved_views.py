"""Views of Explore under names of one's own."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.factories import book, payload
from tests.test_explore_page import text
from usage.models import Instance, SavedView


@pytest.fixture(autouse=True)
def usage(instance: Instance) -> Instance:
    book(instance, payload())
    return instance


def save(client: Client, name: str, query: str) -> str:
    answer = client.post("/explore/views/", {"name": name, "query": query}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def views(html: str) -> dict[str, str]:
    """Addresses by name."""
    found = re.findall(r'<div class="saved"><a class="item" href="([^"]*)"><span class="name"[^>]*>(.*?)</span>', html)
    return {unescape(name): unescape(address) for address, name in found}


def test_a_view_is_found_again_by_its_name(reader: Client) -> None:
    html = save(reader, "  Cost <by> model ", "?metric=cost&by=model&range=30d&view=bars&nonsense=1")
    assert "“Cost <by> model” is saved." in text(html)
    assert views(html) == {"Cost <by> model": "?by=model&metric=cost&range=30d"}
    assert '<option value="cost" selected>' in html
    points = save(reader, "Points", "?mode=scatter&y=cost&min_cost=1")
    assert views(points)["Points"] == "?min_cost=1&mode=scatter&y=cost"
    assert "Est. cost by time" in points or 'id="mode-2"' in points


def test_one_of_the_same_name_is_replaced(reader: Client) -> None:
    save(reader, "Mine", "?by=model")
    assert views(save(reader, "Mine", "?by=key")) == {"Mine": "?by=key"}


def test_views_are_of_one_person_alone(reader: Client) -> None:
    save(reader, "Mine", "?by=model")
    view = SavedView.objects.get()
    other = Client()
    other.force_login(get_user_model().objects.create_user("other"))
    assert views(other.get("/explore/").content.decode()) == {}
    other.post(f"/explore/views/{view.pk}/delete/", {"query": ""})
    assert SavedView.objects.count() == 1
    answer = reader.post(f"/explore/views/{view.pk}/delete/", {"query": "?by=key"})
    assert answer.headers["Location"] == "/explore/?by=key" and not SavedView.objects.exists()


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_view_needs_a_name(reader: Client, name: str) -> None:
    assert "A name has 1 to 80 characters" in save(reader, name, "?by=model")
    assert not SavedView.objects.exists()


def test_there_is_an_end_to_views(reader: Client) -> None:
    user = get_user_model().objects.get()
    SavedView.objects.bulk_create(SavedView(user=user, name=f"{number}") for number in range(100))
    assert "You have 100 views" in save(reader, "One more", "")
    assert "is saved" in save(reader, "7", "?by=key")
    many = "?" + "&".join(f"model=m{number}" for number in range(10))
    assert "is saved" in save(reader, "8", many)  # models that are not there are left out


def test_who_is_not_signed_in_saves_nothing(client: Client) -> None:
    assert client.post("/explore/views/", {"name": "x"}).status_code == 302
    assert client.get("/explore/views/").status_code in (302, 405)
    assert not SavedView.objects.exists()
