"""The pages around the figures: signing in, preferences, setting up, errors."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import get_resolver, reverse

from config.migrating import server_error
from usage.models import Instance, SiteSettings

PASSWORD = "correct horse battery"


@pytest.fixture
def person(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("person", password=PASSWORD)


def sign_in(client: Client, password: str, **fields: str) -> Any:
    return client.post("/login/", {"username": "person", "password": password} | fields)


def test_signing_in_leads_to_the_overview(client: Client, person: Any) -> None:
    assert sign_in(client, PASSWORD)["Location"] == "/"
    assert "Sign out" in client.get("/").content.decode()


def test_signing_in_leads_back_to_where_one_wanted_to_go(client: Client, person: Any) -> None:
    assert (
        'name="next" value="/channels/?range=24h"' in client.get("/login/?next=/channels/%3Frange=24h").content.decode()
    )
    assert sign_in(client, PASSWORD, next="/channels/?range=24h")["Location"] == "/channels/?range=24h"


def test_signing_in_does_not_lead_to_another_site(client: Client, person: Any) -> None:
    assert sign_in(client, PASSWORD, next="https://example.com/")["Location"] == "/"


@pytest.mark.parametrize(("fields", "seconds"), [({}, ""), ({"keep": "on"}, 14 * 86_400)])
def test_a_session_ends_with_the_browser_unless_somebody_asks_for_14_days(
    client: Client, person: Any, fields: dict[str, str], seconds: Any
) -> None:
    sign_in(client, PASSWORD, **fields)
    assert client.cookies["sessionid"]["max-age"] == seconds
    assert 14 * 86_400 - 60 < client.session.get_expiry_age() <= 14 * 86_400
    client.get("/preferences/privacy/")  # a session that is saved again stays what it is
    client.post("/preferences/theme/", {"theme": "dark"})
    assert client.session.get_expire_at_browser_close() is (not fields)


def test_what_was_ticked_survives_a_wrong_password(client: Client, person: Any) -> None:
    ticked = r'name="keep" checked'
    assert re.search(ticked, sign_in(client, "wrong", keep="on").content.decode())
    assert not re.search(ticked, sign_in(client, "wrong").content.decode())


@pytest.mark.parametrize("name", ["person", "nobody"])
def test_a_wrong_password_does_not_say_who_exists(client: Client, person: Any, name: str) -> None:
    html = client.post("/login/", {"username": name, "password": "wrong"}).content.decode()
    assert "Wrong username or password" in html
    assert html.count('aria-describedby="login-error"') == 2
    assert "wrong" not in re.findall(r'name="password"[^>]*', html)[0].lower().replace('"wrong"', "")


@pytest.mark.parametrize("name", ["person", "nobody"])
def test_after_five_wrong_passwords_it_pauses(client: Client, person: Any, name: str) -> None:
    def attempt(password: str, **headers: str) -> Any:
        return client.post("/login/", {"username": name, "password": password, "next": "/records/"}, headers=headers)

    with time_machine.travel(datetime(2026, 11, 23, 10, tzinfo=UTC), tick=False) as clock:
        assert [attempt("wrong").status_code for _time in range(4)] == [200] * 4
        clock.shift(60)
        locked = attempt("wrong", user_agent="another browser")  # counts as well, but is forgotten later
        assert locked.status_code == 429
        html = locked.content.decode()
        assert '<span class="sr-only">14 m 00 s</span>' in html and 'data-seconds="840"' in html
        assert re.search(r"<button [^>]*disabled", html) and 'href="/login/?next=/records/"' in html
        clock.shift(810)
        assert 'aria-hidden="true" data-seconds="30"' in (html := attempt(PASSWORD).content.decode())
        assert 'data-minutes="# m $ s" data-short="$ s">30 s<' in html  # no attempt makes the wait longer
        clock.shift(31)
        assert attempt(PASSWORD).status_code == (302 if name == "person" else 200)


def test_without_any_user_the_login_explains_the_link(client: Client, db: None) -> None:
    html = client.get("/login/").content.decode()
    assert "manage.py setup_link" in html and 'name="password"' not in html


def test_signing_out_needs_a_post(client: Client, person: Any) -> None:
    client.force_login(person)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/")["Location"] == "/login/"


def test_the_theme_is_kept_in_a_cookie_and_drawn_by_the_server(client: Client, person: Any) -> None:
    assert 'data-theme="system"' in client.get("/login/").content.decode()
    answer = client.post("/preferences/theme/", {"theme": "dark", "next": "/login/?next=/x/"})
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/x/")
    assert 'data-theme="dark"' in client.get("/login/").content.decode()


def test_a_theme_that_we_do_not_know_changes_nothing(client: Client, db: None) -> None:
    answer = client.post("/preferences/theme/", {"theme": '"><script>'})
    assert "theme" not in answer.cookies
    client.cookies["theme"] = "pink"
    assert 'data-theme="system"' in client.get("/login/").content.decode()


@pytest.mark.parametrize("address", ["https://example.com/", "//example.com/", "javascript:alert(1)", ""])
def test_the_theme_switch_leads_to_no_other_site(client: Client, address: str) -> None:
    assert client.post("/preferences/theme/", {"theme": "dark", "next": address})["Location"] == "/"


def test_the_theme_is_not_changed_by_a_link(client: Client) -> None:
    assert client.get("/preferences/theme/?theme=dark").status_code == 405


def test_the_language_is_chosen_before_signing_in(client: Client, person: Any) -> None:
    assert '<html lang="en"' in client.get("/login/").content.decode()
    answer = client.post("/i18n/setlang/", {"language": "zh-hans", "next": "/login/"})
    assert answer["Location"] == "/login/"
    html = client.get("/login/").content.decode()
    assert '<html lang="zh-Hans"' in html and "用户名" in html


def test_the_language_of_the_browser_comes_first(client: Client, person: Any) -> None:
    html = client.get("/login/", headers={"accept-language": "zh-CN,zh;q=0.9"}).content.decode()
    assert '<html lang="zh-Hans"' in html


def test_the_server_form_shows_its_errors_beside_the_fields(admin_client: Client) -> None:
    html = admin_client.post(
        "/setup/server/", {"name": "", "base_url": "nonsense", "management_key": "k"}
    ).content.decode()
    assert "Please correct what is marked below." in html
    assert html.count('class="error"') == 2 and 'aria-invalid="true"' in html


def test_the_management_key_never_comes_back(admin_client: Client, instance: Instance) -> None:
    html = admin_client.get(reverse("setup_server", args=[instance.pk])).content.decode()
    assert instance.management_key not in html and instance.name in html


def test_what_does_not_exist_says_so_in_our_style(client: Client, db: None) -> None:
    answer = client.get("/nothing/")
    assert answer.status_code == 404 and "Page not found" in answer.content.decode()


def test_the_error_pages_need_no_database(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    # No `db` fixture: another query than that for the site's name fails this test.
    from channels_app.shell import shell

    def is_away() -> None:
        raise OperationalError

    monkeypatch.setattr(SiteSettings.objects, "first", is_away)
    for name in ("403.html", "404.html"):
        assert "app.css" in render_to_string(name, shell(rf.get("/")), rf.get("/"))


def test_the_last_resort_needs_nothing_at_all() -> None:
    html = render_to_string("500.html")
    assert "Something went wrong" in html and "出错了" in html


def failed(error: Exception) -> Any:
    try:
        raise error
    except type(error):
        return server_error(RequestFactory().get("/"))


def test_while_the_database_is_upgraded_pages_say_so(db: None) -> None:
    assert failed(OperationalError()).status_code == 500  # it is of this version: another matter
    MigrationRecorder(connection).migration_qs.filter(app="usage").order_by("-pk")[0].delete()
    assert failed(ValueError()).status_code == 500
    answer = failed(OperationalError())
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    html = answer.content.decode()
    assert "Upgrading" in html and "升级中" in html and 'http-equiv="refresh" content="10"' in html
    assert get_resolver().resolve_error_handler(500) is server_error


def test_a_refused_form_explains_itself(person: Any) -> None:
    answer = Client(enforce_csrf_checks=True).post("/preferences/theme/", {"theme": "dark"})
    assert answer.status_code == 403 and "CSRF_TRUSTED_ORIGINS" in answer.content.decode()


def test_the_admin_leads_back(admin_client: Client) -> None:
    html = admin_client.get("/admin/").content.decode()
    assert "Back to monitor" in html and "View site" not in html and "channels_app/admin.css" in html
