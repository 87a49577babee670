"""`/api/multipliers/`: who may read and write multipliers, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from usage.models import Account, Channel, Instance, PriceMultiplier
from usage.models.fields import EPOCH

PATH = "/api/multipliers/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_api(db: None) -> APIClient:
    client = APIClient()
    client.force_authenticate(get_user_model().objects.create_user("eve", is_staff=True))
    return client


@pytest.fixture
def team(instance: Instance) -> Account:
    channel = Channel.objects.create(name="codex", kind="oauth")
    return Account.objects.create(instance=instance, channel=channel, label="team")


def test_nobody_without_a_right(api: APIClient, team: Account) -> None:
    row = PriceMultiplier.objects.create(account=team, factor=1)
    body = {"account": team.pk, "factor": "0.3"}
    assert APIClient().get(PATH).status_code == 401
    assert [one["id"] for one in api.get(PATH).json()] == [row.pk]
    assert api.get(f"{PATH}{row.pk}/").json()["account"] == team.pk
    writes = (
        api.post(PATH, body, format="json"), api.put(f"{PATH}{row.pk}/", body, format="json"),
        api.delete(f"{PATH}{row.pk}/"),
    )  # fmt: skip
    assert [answer.status_code for answer in writes] == [403] * 3
    assert PriceMultiplier.objects.get().factor == 1


def test_it_is_written_changed_and_deleted(admin_api: APIClient, team: Account) -> None:
    said = admin_api.post(PATH, {"account": team.pk, "factor": "0.3"}, format="json")
    row = PriceMultiplier.objects.get()
    assert (said.status_code, said.json()) == (
        201, {"id": row.pk, "channel": None, "account": team.pk, "factor": "0.3000", "effective_from": "1970-01-01T00:00:00Z"},
    )  # fmt: skip
    before = row.updated_at
    said = admin_api.patch(f"{PATH}{row.pk}/", '{"factor": 0.25}', content_type="application/json")
    row.refresh_from_db()
    assert (said.json()["factor"], str(row.factor), row.account, row.effective_from) == ("0.2500", "0.25", team, EPOCH)
    assert row.updated_at > before
    said = admin_api.put(f"{PATH}{row.pk}/", {"channel": "codex", "factor": 0}, format="json")
    assert (said.json()["channel"], said.json()["account"]) == ("codex", None)
    assert admin_api.delete(f"{PATH}{row.pk}/").status_code == 204
    assert not PriceMultiplier.objects.exists()


@pytest.mark.parametrize(
    ("fields", "name", "words"),
    [
        ({"account": None}, "channel", "Choose a channel or an account"),
        ({"channel": "codex"}, "account", "choose the channel or the account"),
        ({"account": 99_999}, "account", "does not exist"),
        ({"factor": "-0.1"}, "factor", "greater than or equal to 0"),
        ({"factor": "100"}, "factor", "digits"),
        ({"factor": "0.33333"}, "factor", "4 decimal places"),
        ({"factor": None}, "factor", "may not be null"),
        ({"factor": "cheap"}, "factor", "valid number"),
        ({"effective_from": "soon"}, "effective_from", "wrong format"),
    ],
)
def test_mistake_stands_beside_its_field(
    admin_api: APIClient,
    team: Account,
    fields: dict[str, Any],
    name: str,
    words: str,
) -> None:
    answer = admin_api.post(PATH, {"account": team.pk, "factor": "0.3"} | fields, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [name])
    assert words in answer.json()[name][0]
    assert not PriceMultiplier.objects.exists()


def test_second_one_from_the_same_moment_on_is_refused(admin_api: APIClient, team: Account) -> None:
    body = {"account": team.pk, "factor": "0.3"}
    admin_api.post(PATH, body, format="json")
    answer = admin_api.post(PATH, body, format="json")
    words = "There is a multiplier for it from this moment on already."
    assert (answer.status_code, answer.json()) == (400, {"effective_from": [words]})
