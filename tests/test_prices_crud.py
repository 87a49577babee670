"""`/api/prices/`: who may read and write prices, what is refused, and whose price it is afterwards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from tests.factories import NOON, book, payload
from tests.test_pricing import OWN, add_price
from usage.models import Account, Channel, Instance, ModelPrice, UsageRecord
from usage.models.fields import EPOCH

PATH = "/api/prices/"
LEAST = {"pattern": OWN, "input": "2.5", "output": "15"}
pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_api(db: None) -> APIClient:
    client = APIClient()
    client.force_authenticate(get_user_model().objects.create_user("eve", is_staff=True))
    return client


def post(api: APIClient, body: Any, status: int = 201) -> Any:
    answer = api.post(PATH, body, format="json")
    assert answer.status_code == status, answer.json()
    return answer.json()


class TestRights:
    def test_nobody_without_a_right(self) -> None:
        price = add_price(OWN, "1", "2")
        client = APIClient()
        for answer in (client.get(PATH), client.post(PATH, LEAST), client.delete(f"{PATH}{price.pk}/")):
            assert answer.status_code == 401

    def test_signed_in_user_reads(self, api: APIClient) -> None:
        price = add_price(OWN, "1", "2")
        assert [one["id"] for one in api.get(PATH).json()] == [price.pk]
        assert api.get(f"{PATH}{price.pk}/").json()["input"] == "1"
        assert api.get(f"{PATH}999/").status_code == 404
        assert api.get(f"{PATH}{'9' * 30}/").status_code == 404
        writes = (
            api.post(PATH, LEAST, format="json"), api.put(f"{PATH}{price.pk}/", LEAST, format="json"),
            api.patch(f"{PATH}{price.pk}/", {}, format="json"), api.delete(f"{PATH}{price.pk}/"),
            api.post(f"{PATH}import/", b"", content_type="text/csv"),
        )  # fmt: skip
        assert [answer.status_code for answer in writes] == [403] * 5
        assert ModelPrice.objects.get().input == 1


class TestWriting:
    def test_least_that_is_said(self, admin_api: APIClient) -> None:
        said = post(admin_api, LEAST)
        row = ModelPrice.objects.get()
        assert said["id"] == row.pk
        assert (row.input, row.cached_input, row.multiplier, row.effective_from) == (Decimal("2.5"), None, 1, EPOCH)
        assert (row.locked, row.origin) == (True, "manual")

    def test_numbers_are_exact(self, admin_api: APIClient) -> None:
        body = '{"pattern": "%s", "input": 123456.123456, "output": 1e-6, "per_request": 0.000000001}' % OWN  # noqa: UP031
        answer = admin_api.post(PATH, body, content_type="application/json")
        assert answer.status_code == 201, answer.json()
        row = ModelPrice.objects.get()
        assert (row.input, row.output, row.per_request) == (
            Decimal("123456.123456"), Decimal("0.000001"), Decimal("0.000000001"),
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("input", "-1", "greater than or equal to 0"),
            ("input", "NaN", "valid number"),
            ("input", "1e99", "digits"),
            ("input", 1e99, "digits"),
            ("input", "0.0000001", "decimal places"),
            ("input", None, "may not be null"),
            ("output", "free", "valid number"),
            ("output", True, "valid number"),
            ("pattern", "", "may not be blank"),
            ("pattern", "x" * 301, "300 characters"),
            ("pattern", "x\0", "Null characters"),
            ("provider", "x" * 101, "100 characters"),
            ("above_input_tokens", -1, "greater than or equal to 0"),
            ("above_input_tokens", 10**30, "less than or equal to"),
            ("effective_from", "yesterday", "wrong format"),
            ("multiplier", "100", "digits"),
            ("reasoning", "-0.1", "greater than or equal to 0"),
            ("channel", "nowhere", "does not exist"),
            ("channel", 7, "does not exist"),
            ("account", 10**30, "does not exist"),
            ("account", True, "Incorrect type"),
            ("account", "x", "Incorrect type"),
            ("daily_from", "25:00", "wrong format"),
            ("daily_from", 9, "wrong format"),
        ],
    )
    def test_mistake_stands_beside_its_field(self, admin_api: APIClient, name: str, value: Any, words: str) -> None:
        said = post(admin_api, LEAST | {name: value}, 400)
        assert list(said) == [name]
        assert words in said[name][0]
        assert not ModelPrice.objects.exists()

    @pytest.mark.parametrize(
        "body", ['{"pattern": ', '{"input": NaN}', '{"input": 1e99999999999999999999}', "[" * 99_999]
    )
    def test_body_that_is_no_json(self, admin_api: APIClient, body: str) -> None:
        answer = admin_api.post(PATH, body, content_type="application/json")
        assert answer.status_code == 400 and "This is no JSON" in answer.json()["detail"]

    def test_price_of_an_account_at_a_time_of_day(self, admin_api: APIClient, instance: Instance) -> None:
        channel = Channel.objects.create(name="codex", kind="oauth")
        account = Account.objects.create(instance=instance, channel=channel, label="team")
        night = {"account": account.pk, "daily_from": "16:30", "daily_until": "00:30"}
        said = post(admin_api, LEAST | night)
        assert (said["account"], said["channel"]) == (account.pk, None)
        assert (said["daily_from"], said["daily_until"]) == ("16:30:00", "00:30:00")
        assert post(admin_api, LEAST | {"channel": "codex"})["channel"] == "codex"
        assert list(post(admin_api, LEAST | night, 400)) == ["pattern"]
        assert list(post(admin_api, LEAST | night | {"channel": "codex"}, 400)) == ["account"]
        answer = admin_api.patch(f"{PATH}{said['id']}/", {"daily_until": "16:30"}, format="json")
        assert answer.json() == {
            "daily_until": ["From 16:30 until 16:30 is no time of day; leave both empty for all day."]
        }
        assert ModelPrice.objects.count() == 2

    def test_same_price_twice_is_told_in_words(self, admin_api: APIClient) -> None:
        post(admin_api, LEAST)
        words = "There is a price for this model under these conditions from this moment on already."
        assert post(admin_api, LEAST, 400) == {"pattern": [words]}
        other = post(admin_api, LEAST | {"service_tier": "priority"})
        answer = admin_api.patch(f"{PATH}{other['id']}/", {"service_tier": ""}, format="json")
        assert (answer.status_code, answer.json()) == (400, {"pattern": [words]})
        assert ModelPrice.objects.count() == 2

    def test_changed_price_is_a_persons_and_records_keep_their_cost(
        self, admin_api: APIClient, instance: Instance
    ) -> None:
        row = add_price(OWN, "1", "2", origin="models.dev", locked=False, cached_input=Decimal("0.5"))
        book(instance, payload(NOON, model=OWN))
        before = UsageRecord.objects.get().cost_nanousd
        answer = admin_api.patch(f"{PATH}{row.pk}/", {"input": "9"}, format="json")
        assert answer.status_code == 200
        row.refresh_from_db()
        assert (row.input, row.cached_input, row.origin, row.locked) == (9, Decimal("0.5"), "manual", True)
        assert UsageRecord.objects.get().cost_nanousd == before

    def test_put_says_all_of_it(self, admin_api: APIClient) -> None:
        row = add_price(OWN, "1", "2", cached_input=Decimal("0.5"), multiplier=Decimal("0.3"))
        assert admin_api.put(f"{PATH}{row.pk}/", LEAST, format="json").status_code == 200
        row.refresh_from_db()
        assert (row.input, row.cached_input, row.multiplier) == (Decimal("2.5"), None, 1)
        assert list(admin_api.put(f"{PATH}{row.pk}/", {"input": "1"}, format="json").json()) == ["pattern", "output"]

    def test_who_only_unlocks_a_price_unlocks_it(self, admin_api: APIClient) -> None:
        row = add_price(OWN, "1", "2", origin="models.dev")
        admin_api.patch(f"{PATH}{row.pk}/", {"locked": False}, format="json")
        row.refresh_from_db()
        assert (row.locked, row.origin) == (False, "models.dev")

    def test_deleted_price_leaves_the_costs(self, admin_api: APIClient, instance: Instance) -> None:
        row = add_price(OWN, "1", "2")
        book(instance, payload(model=OWN))
        before = UsageRecord.objects.get().cost_nanousd
        assert admin_api.delete(f"{PATH}{row.pk}/").status_code == 204
        record = UsageRecord.objects.get()
        assert (record.cost_nanousd, record.price_id) == (before, row.pk)


class TestList:
    def test_part_of_a_pattern_and_origin(self, api: APIClient) -> None:
        add_price(OWN, "1", "2")
        add_price("other", "1", "2", origin="models.dev")
        assert [one["pattern"] for one in api.get(PATH, {"search": "HOUSE"}).json()] == [OWN]
        assert [one["pattern"] for one in api.get(PATH, {"origin": "models.dev"}).json()] == ["other"]
        assert api.get(PATH, {"origin": "me"}).json().keys() == {"origin"}

    def test_csv_and_back(self, admin_api: APIClient) -> None:
        add_price(OWN, "1", "2")
        answer = admin_api.get(PATH, {"format": "csv"})
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"] == 'attachment; filename="prices.csv"'
        content = answer.content.replace(b",1,,,2,", b",1.5,,,2,")
        expected = {
            "new": 0, "changed": 1, "unchanged": 0, "written": 0,
            "changes": [{"id": ModelPrice.objects.get().pk, "price": OWN, "columns": {"input": {"old": "1", "new": "1.5"}}}],
        }  # fmt: skip
        assert admin_api.post(f"{PATH}import/?dry_run=1", content, content_type="text/csv").json() == expected
        assert ModelPrice.objects.get().input == 1
        done = admin_api.post(f"{PATH}import/", content, content_type="text/csv")
        assert done.json() == expected | {"written": 1}
        assert ModelPrice.objects.get().input == Decimal("1.5")

    def test_csv_with_a_mistake(self, admin_api: APIClient) -> None:
        content = f"pattern,input,output\nfine,1,2\n{OWN},-1,2\n"
        answer = admin_api.post(f"{PATH}import/", content, content_type="text/csv")
        (mistake,) = answer.json()["mistakes"]
        assert (answer.status_code, mistake["line"], mistake["column"], mistake["value"]) == (400, 3, "input", "-1")
        assert not ModelPrice.objects.exists()

    def test_body_that_is_no_csv(self, admin_api: APIClient) -> None:
        assert "file" in admin_api.post(f"{PATH}import/", b"\xff", content_type="text/csv").json()
        assert admin_api.post(f"{PATH}import/", {}, format="json").status_code == 415
        assert admin_api.get(PATH, {"format": "csv", "origin": "me"}).status_code == 400


def test_resolve_is_still_there(api: APIClient) -> None:
    assert api.get(f"{PATH}resolve/", {"model": OWN}).json() == {"price": None, "prices": [], "multiplier": None}
