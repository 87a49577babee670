"""The Django admin: every table opens, with few queries, and what CPA made cannot be changed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import book, payload
from tests.traffic import SECRETS, fake_cpa, read_from, send_traffic
from usage.collection import sync_instance
from usage.ingest.prices import price_unpriced
from usage.models import (
    Account,
    Channel,
    Instance,
    ModelPrice,
    Preferences,
    PriceMultiplier,
    QuotaWindow,
    SavedView,
    SiteSettings,
    Source,
    UsageRecord,
)

pytestmark = pytest.mark.django_db
MODELS = [model for model in admin.site._registry if model._meta.app_label == "usage"]
PRICE = {
    "pattern": "gemini-3-pro-*", "input": "2", "cached_input": "0.2", "cache_write": "", "output": "12.000001",
    "effective_from_0": "1970-01-01", "effective_from_1": "00:00", "effective_from": "1970-01-01 00:00",
}  # fmt: skip


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("operator"))
    return client


@pytest.fixture
def traffic() -> Instance:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        cpa.enqueue_raw(b"not a record, with a sk-FAKE-key-in-it-000000000")
        instance = read_from(cpa)
        sync_instance(instance)
    return instance


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_each_list_and_row_opens_and_shows_no_secret(staff: Client, traffic: Instance, model: Any) -> None:
    path = f"/admin/usage/{model._meta.model_name}/"
    pages = [staff.get(path)]
    row = model._default_manager.first()
    if row:
        pages.append(staff.get(f"{path}{row.pk}/change/"))
    for page in pages:
        assert page.status_code == 200
        assert not [secret for secret in SECRETS if secret in page.content.decode()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_the_queries_of_a_list_do_not_grow_with_its_rows(
    staff: Client, traffic: Instance, model: Any, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(12):
        staff.get(f"/admin/usage/{model._meta.model_name}/")


def test_all_that_it_lists_has_a_chinese_name(staff: Client) -> None:
    staff.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    html = staff.get("/admin/").content.decode()
    names = re.findall(r'(?:<caption>|<th scope="row"[^>]*>)\s*<a[^>]*>([^<]+)<', html)
    assert len(names) > 25
    assert [name for name in names if not re.search("[\u4e00-\u9fff]", name)] == []


def test_records_can_be_looked_at_only(staff: Client, traffic: Instance) -> None:
    record = UsageRecord.objects.first()
    assert record
    assert staff.get("/admin/usage/usagerecord/add/").status_code == 403
    assert staff.post(f"/admin/usage/usagerecord/{record.pk}/delete/", {"post": "yes"}).status_code == 403
    assert staff.post(f"/admin/usage/usagerecord/{record.pk}/change/", {"failed": "on"}).status_code == 403
    assert UsageRecord.objects.count() == 9


def test_records_are_found_by_time_failure_and_request_id(staff: Client, traffic: Instance) -> None:
    failed = UsageRecord.objects.get(failed=True)
    for query in ("?time=1h", "?failed__exact=1", f"?q={failed.request_id}"):
        page = staff.get(f"/admin/usage/usagerecord/{query}")
        assert page.status_code == 200
        assert f"/admin/usage/usagerecord/{failed.pk}/change/" in page.content.decode()


def test_the_list_of_records_never_counts_nor_sorts_the_whole_table(staff: Client, traffic: Instance) -> None:
    book(traffic, *(payload(request_id=str(number)) for number in range(60)))  # more than one page
    with CaptureQueriesContext(connection) as queries:
        staff.get("/admin/usage/usagerecord/")
    listing = [query["sql"] for query in queries if 'FROM "usage_usagerecord"' in query["sql"]]
    assert listing
    assert all("LIMIT" in sql for sql in listing)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {next(sql for sql in listing if 'COUNT' not in sql)}")
            plan = " ".join(row[3] for row in cursor.fetchall())
        assert "SCAN usage_usagerecord USING INDEX" in plan
        assert "TEMP B-TREE" not in plan


def test_windows_views_and_settings_are_there_to_look_at(staff: Client, traffic: Instance) -> None:
    operator = get_user_model().objects.get(username="operator")
    source = Source.objects.earliest("pk")
    QuotaWindow.objects.create(source=source, name="5h", minutes=300, used_percent=12, seen_at=timezone.now())
    SavedView.objects.create(user=operator, name="Mondays", query="range=7d&by=model")
    SiteSettings.objects.create(week_start=6, top_series=5)
    Preferences.objects.create(user=operator, is_dense=True)
    for name, shown in (
        ("quotawindow", ">12<"), ("savedview", "range=7d&amp;by=model"), ("sitesettings", "Sunday"), ("preferences", "operator"),
    ):  # fmt: skip
        html = staff.get(f"/admin/usage/{name}/").content.decode()
        assert shown in html and f"/admin/usage/{name}/add/" not in html.partition("content-main")[2]
        row = MODELS[[model._meta.model_name for model in MODELS].index(name)]._default_manager.get()
        assert b'name="_save"' not in staff.get(f"/admin/usage/{name}/{row.pk}/change/").content
    view = SavedView.objects.get()
    staff.post(f"/admin/usage/savedview/{view.pk}/delete/", {"post": "yes"})
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("slot", ["0", "9"])
def test_a_colour_that_there_is_not_is_refused(staff: Client, traffic: Instance, slot: str) -> None:
    channel = Channel.objects.earliest("pk")
    sent = {"color_slot": slot, "shape": "circle", "position": "0"}
    sent |= {f"listed_names-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    page = staff.post(f"/admin/usage/channel/{channel.pk}/change/", sent)
    assert page.status_code == 200 and list(page.context["adminform"].form.errors) == ["color_slot"]


def test_a_price_is_entered_in_usd_per_million_and_prices_what_had_none(staff: Client, traffic: Instance) -> None:
    unpriced = UsageRecord.objects.get(cost_nanousd=None)
    answer = staff.post("/admin/usage/modelprice/add/", PRICE)
    assert answer.status_code == 302, answer.context["errors"]
    price = ModelPrice.objects.get(pattern="gemini-3-pro-*")
    assert (price.origin, price.output) == (ModelPrice.Origin.MANUAL, Decimal("12.000001"))
    assert price_unpriced() == 1
    unpriced.refresh_from_db()
    # 17,984 x 2 + (2,668 + 1,028) x 12.000001 USD per 1M
    assert unpriced.cost_nanousd == 35_968_000 + 44_352_004


def test_an_edited_price_is_never_overwritten(staff: Client, traffic: Instance) -> None:
    price = ModelPrice.objects.get(pattern="gpt-5.4", service_tier="", above_input_tokens=0)
    assert price.origin == ModelPrice.Origin.CATALOG
    staff.post(f"/admin/usage/modelprice/{price.pk}/change/", PRICE | {"pattern": "gpt-5.4", "input": "1.5"})
    with fake_cpa() as cpa:
        send_traffic(cpa)
        sync_instance(read_from(cpa))
    price.refresh_from_db()
    assert (price.input, price.origin) == (Decimal("1.5"), ModelPrice.Origin.MANUAL)


def test_a_negative_price_and_a_second_one_from_the_same_moment_are_refused(staff: Client) -> None:
    staff.post("/admin/usage/modelprice/add/", PRICE)
    for wrong in (PRICE, PRICE | {"pattern": "x", "input": "-1"}, PRICE | {"pattern": "y", "input": "0.0000001"}):
        page = staff.post("/admin/usage/modelprice/add/", wrong)
        assert page.status_code == 200
        assert b"errorlist" in page.content
    assert ModelPrice.objects.count() == 1


@pytest.mark.parametrize(
    "column", ["input", "cached_input", "reasoning", "per_request", "multiplier", "above_input_tokens"]
)
@pytest.mark.parametrize("wrong", ["-1", "NaN", "Infinity", "1e99", "1e-9999", "0.0000000001", "cheap", "１٫5"])
def test_what_is_no_amount_is_refused_beside_its_field(staff: Client, column: str, wrong: str) -> None:
    page = staff.post("/admin/usage/modelprice/add/", PRICE | {column: wrong})
    assert page.status_code == 200
    assert list(page.context["adminform"].form.errors) == [column]
    assert wrong in page.content.decode()
    assert not ModelPrice.objects.exists()


def test_empty_conditions_are_none_and_prices_differ_by_them(staff: Client) -> None:
    nothing = {"above_input_tokens": "", "per_request": "", "multiplier": "", "reasoning": ""}
    tier = {"service_tier": " priority ", "above_input_tokens": "200000", "multiplier": "0.3", "per_request": "0.01"}
    for form in (PRICE | nothing, PRICE | tier):
        assert staff.post("/admin/usage/modelprice/add/", form).status_code == 302
    plain, priority = (row.price for row in ModelPrice.objects.order_by("above_input_tokens"))
    assert (plain.above_input_tokens, plain.per_request, plain.multiplier, plain.reasoning) == (0, 0, 10_000, None)
    assert (priority.service_tier, priority.per_request, priority.multiplier) == ("priority", 10_000_000, 3_000)


def test_whoever_edits_a_price_locks_it_and_may_unlock_it(staff: Client) -> None:
    row = ModelPrice.objects.create(pattern="m", input=1, output=1, origin=ModelPrice.Origin.CATALOG, locked=False)
    path, form = f"/admin/usage/modelprice/{row.pk}/change/", PRICE | {"pattern": "m", "input": "1", "output": "1"}
    form |= {"cached_input": "", "above_input_tokens": "0", "per_request": "0", "multiplier": "1"}

    def after(**fields: str) -> tuple[str, bool]:
        assert staff.post(path, form | fields).status_code == 302
        row.refresh_from_db()
        return row.origin, row.locked

    assert after(locked="on") == (ModelPrice.Origin.CATALOG, True)
    assert after() == (ModelPrice.Origin.CATALOG, False)
    assert after(multiplier="0.3") == (ModelPrice.Origin.MANUAL, True)


def test_the_management_key_is_written_and_never_shown(staff: Client, traffic: Instance) -> None:
    path = f"/admin/usage/instance/{traffic.pk}/change/"
    form = {"name": "Renamed", "base_url": traffic.base_url, "management_key": "", "verify_tls": "on", "enabled": "on"}
    assert staff.post(path, form).status_code == 302
    kept = traffic.management_key
    traffic.refresh_from_db()
    assert (traffic.name, traffic.management_key) == ("Renamed", kept)
    staff.post(path, form | {"management_key": "mgmt-FAKE-other"})
    traffic.refresh_from_db()
    assert traffic.management_key == "mgmt-FAKE-other"
    assert "mgmt-FAKE-other" not in staff.get(path).content.decode()


def test_checking_a_server_from_the_list_tells_its_state(staff: Client, instance: Instance) -> None:
    form = {"action": "check_now", "_selected_action": [instance.pk]}
    page = staff.post("/admin/usage/instance/", form, follow=True)
    assert "no connection" in page.content.decode()


def test_a_multiplier_is_entered_for_a_channel_or_an_account(staff: Client, traffic: Instance) -> None:
    path, account = "/admin/usage/pricemultiplier/add/", Account.objects.select_related("channel")[0]
    sent = {
        "factor": "0.3",
        "effective_from_0": "1970-01-01",
        "effective_from_1": "00:00",
        "effective_from": "1970-01-01",
    }
    both = sent | {"account": f"{account.pk}", "channel": f"{account.channel_id}"}
    assert list(staff.post(path, both).context["adminform"].form.errors) == ["account"]
    assert list(staff.post(path, sent).context["adminform"].form.errors) == ["channel"]
    answer = staff.post(path, sent | {"account": f"{account.pk}"}, follow=True)
    assert "until “manage.py reprice”" in answer.content.decode()
    assert (PriceMultiplier.objects.get().account, PriceMultiplier.objects.get().factor) == (account, Decimal("0.3"))
    assert f"{account.channel} · {account}" in staff.get(path).content.decode()
