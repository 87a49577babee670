"""The Prices page: what it shows, to whom, and what staff can do on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from html import unescape

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from channels_app.prices_page import effect
from tests.sample_prices import make_sample_prices
from tests.sample_usage import make_sample_usage
from tests.test_catalogue import chinese, leftovers  # noqa: F401
from usage.ingest import rollup
from usage.models import Account, Channel, Instance, ModelPrice, PriceMultiplier, UsageRecord

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
PATTERNS = ["claude-*", "claude-opus-4-6", "gpt-5-codex", "gpt-5-codex", "house-model-*"]


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def sample(instance: Instance) -> Instance:
    make_sample_usage(instance, NOW)
    make_sample_prices(NOW)
    return instance


def page(client: Client, address: str = "/prices/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return str(answer.content.decode())


def text_of(html: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", html).split()))


def rows(html: str, label: str = "Prices, USD per 1 M tokens") -> list[list[str]]:
    """The cells of the table with this caption, as text."""
    if label not in html:
        return []
    table = html[html.index(f">{label}</caption>") :]
    body = table[table.index("<tbody>") : table.index("</tbody>")]
    cells = [re.findall(r"<t[hd]\b.*?</t[hd]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
    return [[text_of(cell) for cell in row] for row in cells]


# What it shows


def test_who_is_not_signed_in_goes_to_the_login(client: Client) -> None:
    assert client.get("/prices/")["Location"] == "/login/?next=/prices/"


def test_without_prices_it_says_where_they_come_from(reader: Client) -> None:
    html = page(reader)
    assert "No prices yet" in html and "<table" not in html


def test_models_without_a_price_come_first_with_their_traffic(reader: Client, sample: Instance) -> None:
    html = page(reader)
    assert "30 days: 10-24 10:30 – 11-23 10:30 (UTC)." in html
    assert [row[:3] for row in rows(html, "Unpriced models")] == [
        ["mystery-model", "20", "2.00M"],
        ["gpt-5-codex", "10", "1.00M"],
    ]
    assert "It has prices" in html
    assert html.index("Unpriced models") < html.index("USD per 1 M tokens</caption>")


def test_a_row_says_all_that_a_price_says(reader: Client, sample: Instance) -> None:
    found = {row[0].split()[0]: row[1:] for row in rows(page(reader)) if row[7] != "none" or "codex" not in row[0]}
    assert found["claude-opus-4-6"][:8] == ["5.00", "0.50", "6.25", "25.00", "= output", "—", "none", "× 1"]
    assert found["claude-opus-4-6"][8] == "genai-prices 11-23 10:30"
    assert found["claude-opus-4-6"][9:11] == ["always", "1 model · $15.60"]
    assert found["gpt-5-codex"][6] == "codex priority > 272K"
    assert found["house-model-*"] == [
        "0.000001", "= input", "= input", "0.00", "4.00", "0.01", "none", "× 0.3", "Manual 11-23 10:30", "always", "—",
    ]  # fmt: skip


def test_names_and_patterns_are_told_apart_and_locks_shown(reader: Client, sample: Instance) -> None:
    names = [row[0] for row in rows(page(reader))]
    assert names[:2] == ["claude-* wildcard locked", "claude-opus-4-6 exact"]


def test_a_pattern_matches_what_is_left_to_it(reader: Client, sample: Instance) -> None:
    assert rows(page(reader))[0][11] == "1 model · $1.50"


@pytest.mark.parametrize(
    ("query", "patterns"),
    [
        ("", PATTERNS),
        ("?show=manual", ["claude-*", "gpt-5-codex", "gpt-5-codex", "house-model-*"]),
        ("?show=synced", ["claude-opus-4-6"]),
        ("?show=unused", ["house-model-*"]),
        ("?show=unpriced", []),
        ("?show=bogus&page=99&input_tokens=x", PATTERNS),
        ("?q=OPUS", ["claude-opus-4-6"]),
        ("?q=nothing", []),
    ],
)
def test_prices_are_searched_and_filtered_by_the_address(
    reader: Client, sample: Instance, query: str, patterns: list[str]
) -> None:
    assert [row[0].split()[0] for row in rows(page(reader, f"/prices/{query}"))] == patterns


def test_filters_say_how_many_and_keep_the_search(reader: Client, sample: Instance) -> None:
    html = page(reader, "/prices/?q=claude")
    tabs = html[html.index('class="tabs"') :]
    assert text_of(tabs[: tabs.index("</nav>")]).endswith("All 5 Manual 4 Synced 1 Unpriced 2 Unused 1")
    assert 'href="?q=claude&amp;show=unused"' in html and 'value="claude"' in html
    assert "No price matches" in page(reader, "/prices/?q=nothing")


def test_many_prices_come_in_pages(reader: Client, db: None) -> None:
    ModelPrice.objects.bulk_create(ModelPrice(pattern=f"m-{n:03}", input=1, output=1) for n in range(130))
    assert len(rows(page(reader))) == 100
    last = page(reader, "/prices/?page=2")
    assert len(rows(last)) == 30 and "Page 2 of 2" in last and 'href="?"' in last


# The test box


def test_the_box_tells_which_price_wins_and_why_not_another(reader: Client, sample: Instance) -> None:
    caption = "All prices that fit, in the order in which they are tried"
    html = page(reader, "/prices/?model=gpt-5-codex&tier=priority&input_tokens=300,000&provider=codex")
    assert "Its price is that of gpt-5-codex · codex · priority · &gt; 272,000: input 2.50, output 20.00." in html
    assert [row[-1] for row in rows(html, caption)] == [
        "wins It counts: all its conditions hold, and no price before it fits.",
        "A price for this provider comes before one for any.",
    ]
    assert "It is for another provider." in rows(page(reader, "/prices/?model=GPT-5-codex"), caption)[0][-1]


def test_the_box_says_what_is_unpriced(reader: Client, sample: Instance) -> None:
    assert "no name or pattern fits this model" in page(reader, "/prices/?model=mystery-model")
    ModelPrice.objects.filter(service_tier="").delete()
    assert "no price holds for such a request" in page(reader, "/prices/?model=gpt-5-codex")


def test_the_box_knows_channels_accounts_and_times_of_day(reader: Client, sample: Instance) -> None:
    alice = Account.objects.get(label="alice@example.com")
    ModelPrice.objects.create(pattern="claude-opus-4-6", input=1, output=2, account=alice, daily_from=time(20))
    PriceMultiplier.objects.create(channel=alice.channel, factor=Decimal("0.3"))
    caption = "All prices that fit, in the order in which they are tried"
    html = page(reader, f"/prices/?model=claude-opus-4-6&account={alice.pk}&at=2026-11-22+20:00")
    assert "claude-opus-4-6 · alice@example.com · 20:00–00:00 UTC: input 1.00, output 2.00." in html
    assert "On top of it comes the multiplier claude × 0.3." in html
    assert rows(html, caption)[0][1] == "claude · alice@example.com 20:00–00:00 UTC"
    assert f'<option value="{alice.pk}" selected>claude · alice@example.com</option>' in html
    assert 'name="at" value="2026-11-22 20:00"' in html
    html = page(reader, f"/prices/?model=claude-opus-4-6&account={alice.pk}&channel=nowhere&at=2026-11-22+19:59:59")
    assert rows(html, caption)[0][-1] == "It is for another time of day."
    html = page(reader, "/prices/?model=claude-opus-4-6&channel=claude&account=bogus&at=soon")
    assert rows(html, caption)[0][-1] == "It is for another account."
    assert "claude × 0.3" in html


def test_what_is_typed_is_never_taken_for_html(reader: Client, sample: Instance) -> None:
    assert "<script>alert" not in page(reader, "/prices/?model=<script>alert(1)</script>&q=<script>alert(1)</script>")


# Around it


def test_the_page_is_reached_from_every_page_and_from_what_has_no_price(reader: Client, sample: Instance) -> None:
    assert '<a class="seldom" href="/prices/" title="Prices" aria-current="page">' in page(reader)
    channels = page(reader, "/channels/?range=24h")
    assert "2 models without a price" in text_of(channels) and 'class="confidence unpriced in-words"' in channels
    assert '<a href="/prices/?show=unpriced">Prices</a>' in channels
    assert '<a href="/prices/">Prices</a>' in page(reader, "/collector/")


@pytest.mark.parametrize("query", ["", "?show=unpriced", "?model=gpt-5-codex", "?q=nothing", "?model=x"])
def test_no_state_falls_back_to_english(admin_client: Client, sample: Instance, chinese: None, query: str) -> None:  # noqa: F811
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    assert set(leftovers(page(admin_client, f"/prices/{query}"))) <= {
        "genai-prices", "priority", "house-model-*", " ·  · priority · > 272,000",
    }  # fmt: skip


# Adding, editing, deleting


def form(**fields: str) -> dict[str, str]:
    return {"pattern": "mystery-model", "input": "2", "output": "4", "records": "keep", "save": "1"} | fields


def price(pattern: str = "claude-*") -> ModelPrice:
    return ModelPrice.objects.filter(pattern=pattern).get()


def banners(html: str) -> list[str]:
    return [text_of(text) for text in re.findall(r'<p class="banner (?!warn" id="stale).*?</p>', html, re.DOTALL)]


def errors(html: str) -> dict[str, str]:
    """By field, what is said beside it."""
    found = re.findall(r'<p class="error" id="id_(\w+)_error">(.*?)</p>', html)
    return {name: unescape(text) for name, text in found}


@pytest.mark.parametrize("address", ["/prices/add/", "/prices/{}/", "/prices/{}/delete/"])
def test_only_staff_writes(reader: Client, sample: Instance, address: str) -> None:
    address, before = address.format(price().pk), list(ModelPrice.objects.values())
    assert reader.get(address).status_code == reader.post(address, form()).status_code == 403
    assert list(ModelPrice.objects.values()) == before
    html = page(reader)
    assert "/prices/add/" not in html and f"/prices/{price().pk}/" not in html
    reader.logout()
    assert reader.get(address)["Location"] == f"/login/?next={address}"


def test_a_model_without_a_price_leads_to_a_form_that_knows_it(staff: Client, sample: Instance) -> None:
    assert 'href="/prices/add/?model=mystery-model"' in page(staff)
    html = page(staff, "/prices/add/?model=mystery-model")
    assert 'value="mystery-model"' in html and 'value="2026-11-23 10:30:00"' in html
    assert "Matches 1 model of the last 30 days: mystery-model" in text_of(html)
    assert "an exact name before patterns, a longer pattern before a shorter one" in html


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("claude-*", "Matches 2 models of the last 30 days: claude-opus-4-6 , claude-sonnet-4-5"),
        (" GPT-5-codex", "Matches 1 model of the last 30 days: gpt-5-codex"),
        ("<b>", "Matches no model of the last 30 days."),
        ("", ""),
    ],
)
def test_pattern_tells_what_it_matches_while_it_is_typed(
    staff: Client, sample: Instance, pattern: str, told: str
) -> None:
    assert text_of(page(staff, f"/prices/matches/?pattern={pattern}")) == told


def test_wrong_form_still_tells_what_its_pattern_matches(staff: Client, sample: Instance) -> None:
    html = text_of(staff.post("/prices/add/", form(pattern="claude-*", input="x")).content.decode())
    assert "Matches 2 models of the last 30 days:" in html


def test_checking_tells_the_effect_and_writes_nothing(staff: Client, sample: Instance) -> None:
    checked = form(effective_from="")
    del checked["save"]
    html = text_of(staff.post("/prices/add/", checked).content.decode())
    # 20 requests of 94,000 tokens of input and 6,000 of output.
    assert "Est. cost of these models, last 30 days: $0.00 → $4.24" in html
    assert "Requests without a price: 20 → 0" in html
    assert not ModelPrice.objects.filter(pattern="mystery-model").exists()


def test_saving_keeps_costs_unless_one_recalculates_them(staff: Client, sample: Instance) -> None:
    html = staff.post("/prices/add/", form(effective_from=""), follow=True).content.decode()
    assert banners(html) == ["mystery-model: saved and locked. Est. cost of its models, last 30 days: $0.00 → $4.24."]
    row = price("mystery-model")
    assert (row.locked, row.origin, row.effective_from.timestamp()) == (True, "manual", 0)
    records = UsageRecord.objects.filter(model__name="mystery-model")
    assert records.filter(cost_nanousd=None).count() == 20
    again = form(effective_from="", input="1", records="recalculate", since="2026-11-01")
    html = staff.post(f"/prices/{row.pk}/", again, follow=True).content.decode()
    assert banners(html)[1:] == ["20 requests recalculated: $0.00 → $2.36."]
    assert records.filter(cost_nanousd=118_000_000).count() == 20
    assert rollup.differences() == []
    assert rows(html, "Unpriced models")[0][0] == "gpt-5-codex"


def test_a_price_of_a_channel_by_night_is_saved_and_shown_again(staff: Client, sample: Instance) -> None:
    claude = Channel.objects.get(name="claude")
    sent = form(pattern="claude-*", channel=f"{claude.pk}", daily_from="22:00", daily_until="", effective_from="")
    staff.post("/prices/add/", sent)
    row = ModelPrice.objects.get(channel=claude)
    assert str(row) == "claude-* · claude · 22:00–00:00 UTC"
    html = page(staff, f"/prices/{row.pk}/")
    assert 'name="daily_from" value="22:00"' in html and 'name="daily_until" value="00:00"' in html
    assert [cells[7] for cells in rows(page(staff))][:2] == ["none", "claude 22:00–00:00 UTC"]
    both = sent | {"account": f"{Account.objects.filter(channel=claude)[0].pk}"}
    html = staff.post(f"/prices/{row.pk}/", both).content.decode()
    assert errors(html) == {"account": "An account is of one channel: choose the channel or the account."}
    html = page(staff, "/prices/add/")
    assert 'name="daily_from" autocomplete' in html  # all day is nothing


def test_what_a_source_said_is_the_operators_once_it_is_edited(staff: Client, sample: Instance) -> None:
    row = price("claude-opus-4-6")
    html = page(staff, f"/prices/{row.pk}/")
    assert 'name="cached_input" value="0.5"' in html and 'name="effective_from"' in html
    staff.post(f"/prices/{row.pk}/", form(pattern="claude-opus-4-6", cached_input="0.4", effective_from=""))
    row.refresh_from_db()
    assert (row.origin, row.locked, str(row.cached_input), row.cache_write) == ("manual", True, "0.4", None)


def test_a_moment_that_nobody_changed_stays_exact(staff: Client, sample: Instance) -> None:
    moment = NOW.replace(microsecond=123456)
    ModelPrice.objects.filter(pattern="claude-*").update(effective_from=moment)
    staff.post(f"/prices/{price().pk}/", form(pattern="claude-*", effective_from="2026-11-23 10:30:00"))
    assert price().effective_from == moment


@pytest.mark.parametrize(
    ("fields", "wrong", "told"),
    [
        ({"pattern": ""}, "pattern", "required"),
        ({"pattern": "x" * 301}, "pattern", "at most 300"),
        ({"input": ""}, "input", "required"),
        ({"input": "-1"}, "input", "greater than or equal to 0"),
        ({"input": "NaN"}, "input", "Enter a number"),
        ({"input": "1e99"}, "input", "digits"),
        ({"output": "0.0000001"}, "output", "6 decimal places"),
        ({"cached_input": "cheap"}, "cached_input", "Enter a number"),
        ({"multiplier": "100"}, "multiplier", "digits"),
        ({"above_input_tokens": "-5"}, "above_input_tokens", "greater than or equal to 0"),
        ({"effective_from": "soon"}, "effective_from", "valid date/time"),
        ({"daily_from": "25:00"}, "daily_from", "valid time"),
        ({"daily_from": "16:30", "daily_until": "16:30"}, "daily_until", "From 16:30 until 16:30 is no time of day"),
        ({"account": "99999"}, "account", "Select a valid choice"),
        ({"records": "recalculate", "since": ""}, "since", "first day"),
        ({"records": "recalculate", "since": "2026-13-01"}, "since", "valid date"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_kept(
    staff: Client, sample: Instance, fields: dict[str, str], wrong: str, told: str
) -> None:
    html = staff.post("/prices/add/", form(note="", provider="kept-provider") | fields).content.decode()
    assert list(errors(html)) == [wrong] and told in errors(html)[wrong]
    assert 'value="kept-provider"' in html and "Please correct what is marked below." in html
    assert ModelPrice.objects.count() == 5


def test_the_same_conditions_twice_are_refused(staff: Client, sample: Instance) -> None:
    html = staff.post("/prices/add/", form(pattern="claude-*", effective_from="")).content.decode()
    assert "There is a price for this model under these conditions" in html


def test_deleting_names_the_model_and_what_it_does_to_costs(staff: Client, sample: Instance) -> None:
    row = price("claude-opus-4-6")
    html = text_of(page(staff, f"/prices/{row.pk}/delete/"))
    assert "Delete the price of claude-opus-4-6?" in html
    assert "Est. cost of these models, last 30 days: $27.56 → $16.22" in html
    assert "Booked is $15.60" in html
    html = staff.post(f"/prices/{row.pk}/delete/", follow=True).content.decode()
    assert banners(html) == ["claude-opus-4-6: deleted. Requests keep their cost."]
    assert not ModelPrice.objects.filter(pk=row.pk).exists()
    assert staff.get(f"/prices/{row.pk}/delete/").status_code == 404


def test_too_many_requests_are_left_to_the_command(
    staff: Client, sample: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effect, "_MOST_PRICED", 19)
    row = price("claude-opus-4-6")
    assert "The cost was not computed: these are 104 requests." in text_of(page(staff, f"/prices/{row.pk}/delete/"))
    wanted = form(effective_from="", records="recalculate", since="2026-11-01")
    html = staff.post("/prices/add/", wanted, follow=True).content.decode()
    assert banners(html) == [
        "mystery-model: saved and locked.",
        "These are too many requests for a page. Run: manage.py reprice --from 2026-11-01",
    ]
    assert UsageRecord.objects.filter(model__name="mystery-model", cost_nanousd=None).count() == 20


@pytest.mark.parametrize("address", ["/prices/add/?model=mystery-model", "/prices/{}/", "/prices/{}/delete/"])
def test_no_form_falls_back_to_english(
    admin_client: Client,
    sample: Instance,
    chinese: None,  # noqa: F811
    address: str,
) -> None:
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    address = address.format(price().pk)
    wrong = admin_client.post("/prices/add/", form(input="x", effective_from="soon")).content.decode()
    for html in (page(admin_client, address), wrong):
        assert [text for text in leftovers(html) if "-opus-*" not in text and "priority" not in text] == []
