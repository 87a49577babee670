"""The second tab of the Prices page: multipliers, what they do to costs, and who may edit them."""

# ruff: noqa: F811 - fixtures that others define
from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.test import Client

from channels_app.prices_page import effect
from tests.test_catalogue import chinese, leftovers  # noqa: F401
from tests.test_prices_page import NOW, banners, clock, errors, page, rows, sample, text_of  # noqa: F401
from usage.ingest import rollup
from usage.models import Account, Channel, Instance, PriceMultiplier, UsageRecord

pytestmark = pytest.mark.django_db
PATH = "/prices/multipliers/"


def alice() -> Account:
    return Account.objects.get(label="alice@example.com")


def form(**fields: str) -> dict[str, str]:
    return {"account": f"{alice().pk}", "factor": "0.5", "records": "keep", "save": "1"} | fields


def add(factor: str, **values: object) -> PriceMultiplier:
    return PriceMultiplier.objects.create(factor=Decimal(factor), **values)


def test_it_is_reached_from_the_prices_and_without_any_says_so(reader: Client, sample: Instance) -> None:
    assert f'href="{PATH}"' in page(reader)
    html = page(reader, PATH)
    assert "No multipliers" in html and "Add multiplier" not in html and "<table" not in html
    reader.logout()
    assert reader.get(PATH)["Location"] == f"/login/?next={PATH}"


def test_rows_by_owner_with_what_is_in_force(reader: Client, sample: Instance) -> None:
    claude = Channel.objects.get(name="claude")
    add("0.8", channel=claude)
    add("0.3", account=alice(), effective_from=NOW - timedelta(days=1))
    add("0.4", account=alice())
    add("1", account=alice(), effective_from=NOW + timedelta(days=1))
    assert rows(page(reader, PATH), "Multipliers") == [
        ["claude channel", "× 0.8", "always", "in force"],
        ["claude · alice@example.com account", "× 1", "11-24 10:30", "not in force"],
        ["claude · alice@example.com account", "× 0.3", "11-22 10:30", "in force"],
        ["claude · alice@example.com account", "× 0.4", "always", "not in force"],
    ]


def test_queries_do_not_grow_with_the_rows(
    reader: Client,
    sample: Instance,
    django_assert_max_num_queries: object,
) -> None:
    for days in range(20):
        add("0.3", account=alice(), effective_from=NOW - timedelta(days=days))
    page(reader, PATH)
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        page(reader, PATH)


@pytest.mark.parametrize("address", ["add/", "{}/", "{}/delete/"])
def test_only_staff_writes(reader: Client, sample: Instance, address: str) -> None:
    address = PATH + address.format(add("0.3", account=alice()).pk)
    assert reader.get(address).status_code == reader.post(address, form()).status_code == 403
    assert PriceMultiplier.objects.get().factor == Decimal("0.3")
    assert "/add/" not in page(reader, PATH)


def test_checking_tells_the_effect_and_writes_nothing(staff: Client, sample: Instance) -> None:
    """60 requests of claude-opus-4-6 at $0.265, and 10 of claude-sonnet-4-5 at $0.156."""
    checked = form(effective_from="")
    del checked["save"]
    html = text_of(staff.post(f"{PATH}add/", checked).content.decode())
    assert "Est. cost of its 70 requests, last 30 days: $17.46 → $8.73" in html
    assert not PriceMultiplier.objects.exists()
    later = checked | {"effective_from": "2026-11-24 00:00:00"}
    html = text_of(staff.post(f"{PATH}add/", later).content.decode())
    assert "$17.46 → $17.46" in html


def test_it_is_added_edited_and_deleted_and_costs_follow_if_one_wants(staff: Client, sample: Instance) -> None:
    of_alice = UsageRecord.objects.filter(source__account=alice())
    html = staff.post(f"{PATH}add/", form(effective_from=""), follow=True).content.decode()
    assert banners(html) == ["claude · alice@example.com × 0.5: saved."]
    row = PriceMultiplier.objects.get()
    again = form(factor="0.25", effective_from="", records="recalculate", since="2026-11-01")
    html = staff.post(f"{PATH}{row.pk}/", again, follow=True).content.decode()
    assert "70 requests recalculated: $10.50 → $4.37" in banners(html)[1]
    assert sum(of_alice.values_list("cost_nanousd", flat=True)) == 4_365_000_000
    assert rollup.differences() == []
    html = text_of(page(staff, f"{PATH}{row.pk}/delete/"))
    assert "Delete the multiplier claude · alice@example.com × 0.25?" in html
    assert "$4.37 → $17.46" in html
    html = staff.post(f"{PATH}{row.pk}/delete/", follow=True).content.decode()
    assert "claude · alice@example.com × 0.25: deleted. Requests keep their cost." in html
    assert not PriceMultiplier.objects.exists()


def test_moving_it_to_another_owner_tells_of_both(staff: Client, sample: Instance) -> None:
    row = add("0", account=Account.objects.get(label="bob@example.com"))
    checked = form(factor="0", effective_from="")
    del checked["save"]
    html = text_of(staff.post(f"{PATH}{row.pk}/", checked).content.decode())
    assert "Est. cost of its 100 requests, last 30 days: $17.46 → $7.95" in html


@pytest.mark.parametrize(
    ("fields", "wrong", "told"),
    [
        ({"account": ""}, "channel", "Choose a channel or an account"),
        ({"account": "99999"}, "account", "Select a valid choice"),
        ({"factor": ""}, "factor", "required"),
        ({"factor": "-1"}, "factor", "greater than or equal to 0"),
        ({"factor": "100"}, "factor", "digits"),
        ({"factor": "0.33333"}, "factor", "4 decimal places"),
        ({"effective_from": "soon"}, "effective_from", "valid date/time"),
        ({"records": "recalculate", "since": ""}, "since", "first day"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_kept(
    staff: Client,
    sample: Instance,
    fields: dict[str, str],
    wrong: str,
    told: str,
) -> None:
    html = staff.post(f"{PATH}add/", form(**fields)).content.decode()
    assert told in errors(html)[wrong]
    assert "Please correct what is marked below." in html
    assert not PriceMultiplier.objects.exists()


def test_a_channel_and_an_account_at_once_and_the_same_twice_are_refused(staff: Client, sample: Instance) -> None:
    both = form(channel=f"{alice().channel_id}")
    assert list(errors(staff.post(f"{PATH}add/", both).content.decode())) == ["account"]
    add("0.3", account=alice())
    html = staff.post(f"{PATH}add/", form(effective_from="")).content.decode()
    assert "There is a multiplier for it from this moment on already." in html


def test_too_many_requests_are_left_to_the_command(
    staff: Client,
    sample: Instance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(effect, "_MOST_PRICED", 50)
    sent = form(effective_from="", records="recalculate", since="2026-11-01")
    html = staff.post(f"{PATH}add/", sent, follow=True).content.decode()
    assert banners(html)[1].startswith(
        "These are too many requests for a page. Run: manage.py reprice --from 2026-11-01"
    )


@pytest.mark.parametrize("address", ["", "add/", "{}/", "{}/delete/"])
@pytest.mark.parametrize("is_empty", [True, False])
def test_no_state_falls_back_to_english(
    admin_client: Client,
    sample: Instance,
    chinese: None,
    address: str,
    is_empty: bool,
) -> None:
    if is_empty and "{}" in address:
        pytest.skip("there is none")
    row = None if is_empty else add("0.3", account=alice())
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    assert set(leftovers(page(admin_client, PATH + address.format(row and row.pk)))) <= {"×"}
