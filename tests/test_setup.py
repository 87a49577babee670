"""The first run: the one-time link, the administrator, the first server and what is said of it."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client

from tests.conftest import KEY
from tests.traffic import fake_cpa
from usage.models import Instance
from usage.setup.link import setup_path

pytestmark = pytest.mark.django_db
ADMINISTRATOR = {"username": "operator", "password1": "a-FAKE-password-42", "password2": "a-FAKE-password-42"}


def test_the_link_makes_the_administrator_once(client: Client) -> None:
    path = setup_path()
    assert client.get(path).status_code == 200
    answer = client.post(path, ADMINISTRATOR)
    assert answer["Location"] == "/setup/server/"
    assert client.get(answer["Location"]).status_code == 200  # signed in
    user = get_user_model().objects.get()
    assert (user.is_superuser, user.is_staff) == (True, True)
    another = Client()
    assert another.post(path, ADMINISTRATOR | {"username": "intruder"})["Location"] == "/login/"
    assert get_user_model().objects.count() == 1


@pytest.mark.parametrize("token", ["administrator", "guess", "administrator:1abcde:FAKE"])
def test_nobody_without_the_link_can(client: Client, token: str) -> None:
    assert client.post(f"/setup/{token}/", ADMINISTRATOR).status_code == 404
    assert not get_user_model().objects.exists()


def test_a_weak_password_is_refused_in_words(client: Client) -> None:
    answer = client.post(setup_path(), ADMINISTRATOR | {"password1": "12345", "password2": "12345"})
    assert answer.status_code == 200
    assert b"too short" in answer.content


def test_the_command_prints_the_link_until_there_is_an_administrator(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("setup_link")
    assert capsys.readouterr().out.startswith("/setup/")
    get_user_model().objects.create_superuser("operator")
    with pytest.raises(CommandError, match="changepassword"):
        call_command("setup_link")


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("operator"))
    return client


def _add(client: Client, base_url: str, key: str = KEY) -> str:
    form = {"name": "My CPA", "base_url": base_url, "management_key": key, "verify_tls": "on"}
    return client.post("/setup/server/", form, follow=True).content.decode()


def test_servers_are_for_staff(client: Client) -> None:
    assert client.get("/setup/server/").status_code == 302
    client.force_login(get_user_model().objects.create_user("reader"))
    assert client.get("/setup/server/").status_code == 403


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("7.2.140", ["CLIProxyAPI 7.2.140", "from its usage queue", "Usage statistics are on."]),
        ("6.9.49", ["CLIProxyAPI 6.9.49", "from its usage snapshot", "Usage statistics are on."]),
        ("6.3.35", ["of a version before 6.3.36", "from its usage snapshot"]),
        ("6.10.0", ["CLIProxyAPI 6.10.0", "by RESP only. Upgrade CPA to 6.10.8"]),
    ],
)
def test_the_probe_says_what_it_found(operator: Client, profile: str, words: list[str]) -> None:
    with fake_cpa(profile) as cpa:
        page = _add(operator, cpa.base_url)
    for text in words:
        assert text in page
    assert KEY not in page


def test_it_says_how_to_switch_statistics_on(operator: Client) -> None:
    with fake_cpa(statistics=False) as cpa:
        page = _add(operator, cpa.base_url)
    assert "Usage statistics are off" in page
    assert "usage-statistics-enabled: true" in page


def test_a_wrong_key_can_be_mended_on_the_spot(operator: Client) -> None:
    with fake_cpa() as cpa:
        assert "the management key was refused" in _add(operator, cpa.base_url, "mgmt-FAKE-wrong")
        instance = Instance.objects.get()
        form = {"name": "My CPA", "base_url": cpa.base_url, "management_key": KEY, "verify_tls": "on"}
        page = operator.post(f"/setup/server/{instance.pk}/", form, follow=True).content.decode()
        assert len(cpa.requests) >= 2
        assert [seen.status for seen in cpa.requests].count(401) == 1
    assert "from its usage queue" in page
    assert Instance.objects.get().state == Instance.State.OK


def test_an_empty_key_keeps_the_present_one(operator: Client, instance: Instance) -> None:
    form = {"name": "Renamed", "base_url": instance.base_url, "management_key": "", "verify_tls": "on"}
    operator.post(f"/setup/server/{instance.pk}/", form)
    instance.refresh_from_db()
    assert (instance.name, instance.management_key) == ("Renamed", KEY)


@pytest.mark.parametrize("base_url", ["ftp://127.0.0.1", "127.0.0.1:8317", "http://user:FAKE@127.0.0.1:8317", ""])
def test_an_address_that_is_none_is_refused_beside_its_field(operator: Client, base_url: str) -> None:
    assert 'id="id_base_url_error"' in _add(operator, base_url)
    assert not Instance.objects.exists()
