"""What an operator asks every day is answered within three clicks of the Overview, by what can be seen and clicked there.

Each answer is held against a plain sum over the records of the demo.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.browser.test_every_view import NOW
from tests.test_current_prices import at_current_prices
from usage import formats
from usage.demo.seeding import seed
from usage.models import CollectionGap, ModelPrice, QuotaWindow, Reconciliation, UsageRecord

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
_CLICKS, _DAY = 3, timedelta(days=1)
_FEW = 20


class Walk:
    """Begins at the Overview; goes three clicks far at most."""

    def __init__(self, page: Page, site: str) -> None:
        self.page, self._clicks = page, 0
        page.goto(f"{site}/")
        page.wait_for_selector("html[data-ready]", state="attached")

    def click(self, what: Locator) -> None:
        self._count(what)
        what.click()

    def drag(self, chart: Locator, first: float, last: float) -> None:
        """Across a chart, from one part of its width to another."""
        self._count(chart)
        box = chart.bounding_box()
        assert box
        for place, act in ((first, self.page.mouse.down), (last, self.page.mouse.up)):
            self.page.mouse.move(box["x"] + place * box["width"], box["y"] + 20)
            act()

    def _count(self, what: Locator) -> None:
        self._clicks += 1
        assert self._clicks <= _CLICKS
        what.scroll_into_view_if_needed()
        expect(what).to_be_visible()

    def nav(self, name: str) -> None:
        self.click(self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name))


@pytest.fixture
def now() -> Iterator[datetime]:
    """For the server the clock stands: walking takes longer than it takes a collector to be late."""
    now = NOW.astimezone(UTC)
    with time_machine.travel(now, tick=False):
        yield now


@pytest.fixture
def demo(now: datetime, site: str) -> list[UsageRecord]:
    seed(seed=7, days=35, records=1_200, now=now)
    ModelPrice.objects.filter(pattern="claude-sonnet-4-6").update(output=Decimal(20))  # somebody has mended it since
    return list(UsageRecord.objects.select_related("api_key", "source__account", "model", "message", "traits"))


@pytest.mark.long
def test_ten_questions(open_page: Open, site: str, demo: list[UsageRecord], now: datetime) -> None:
    page = open_page("/")
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    week = between(demo, today - 6 * _DAY, now + _DAY)

    def walk() -> Walk:
        return Walk(page, site)

    who_spent_most(walk(), week)
    which_account_fails_and_why(walk(), week)
    what_the_storm_at_night_cost(walk(), week, today - 2 * _DAY + timedelta(hours=3))
    is_anything_missing(walk())
    which_models_are_unpriced(walk(), between(demo, now - 30 * _DAY, now + _DAY))
    how_long_the_codex_pool_lasts(walk(), now)
    what_a_key_uses_at_night(walk(), week, "CI")
    did_the_cache_hit_rate_fall(walk(), week, between(demo, today - 13 * _DAY, now - 7 * _DAY))
    first = today.replace(day=1)
    last_month = between(demo, (first - _DAY).replace(day=1), first)
    what_last_month_would_cost_today(walk(), last_month)
    which_request_was_the_dearest(walk(), week)


def between(rows: Iterable[UsageRecord], since: datetime, until: datetime) -> list[UsageRecord]:
    return [row for row in rows if since <= row.requested_at < until]


def cost(rows: Iterable[UsageRecord]) -> int:
    return sum(row.cost_nanousd or 0 for row in rows)


def by(rows: Iterable[UsageRecord], key: Callable[[UsageRecord], Any]) -> dict[Any, list[UsageRecord]]:
    found = defaultdict[Any, list[UsageRecord]](list)
    for row in rows:
        found[key(row)].append(row)
    return found


def value(figure: Locator) -> int:
    return int(figure.locator("[data-value]").first.get_attribute("data-value") or 0)


def who_spent_most(walk: Walk, week: list[UsageRecord]) -> None:
    walk.click(walk.page.get_by_label("Metric", exact=True).get_by_role("link", name="Est. cost"))
    costs = {str(key or "No key"): cost(rows) for key, rows in by(week, lambda row: row.api_key).items()}
    most = max(costs, key=costs.__getitem__)
    first = walk.page.locator("section", has=walk.page.locator("#top-keys")).locator("li").first
    expect(first.locator(".amount")).to_have_text(formats.money(costs[most]))
    expect(first.locator(".name")).to_have_text(most)


def which_account_fails_and_why(walk: Walk, week: list[UsageRecord]) -> None:
    accounts = by((row for row in week if row.source.account), lambda row: str(row.source.account))
    rates = {name: sum(row.failed for row in rows) / len(rows) for name, rows in accounts.items() if len(rows) >= _FEW}
    worst = max(rates, key=rates.__getitem__)
    walk.nav("Errors")
    first = walk.page.locator(".failing tbody tr").first
    expect(first.get_by_role("link")).to_have_text(worst)
    expect(first).to_contain_text(formats.percent(rates[worst]))
    walk.click(first.get_by_role("link"))
    reasons = Counter(row.message.text if row.message else "No message" for row in accounts[worst] if row.failed)
    (reason, times), *_others = reasons.most_common(1)
    expect(walk.page.locator(".chip", has_text=worst)).to_be_visible()
    expect(walk.page.locator(".group-row .what").first).to_have_text(reason)
    assert value(walk.page.locator(".group-row td.count").first) == times


def what_the_storm_at_night_cost(walk: Walk, week: list[UsageRecord], three: datetime) -> None:
    storm = [row for row in between(week, three, three + timedelta(hours=2)) if row.failed]
    assert len(storm) >= 36 and cost(storm)
    walk.nav("Errors")
    rows = walk.page.locator("#numbers-failures tbody tr")
    place = rows.evaluate_all(
        "(rows, at) => rows.findIndex(row => row.cells[0].dataset.from === at)", f"{three:%Y-%m-%dT%H:%M}"
    )
    count = int(walk.page.locator("#chart-failures").get_attribute("data-count") or 0)
    walk.drag(walk.page.locator("#chart-failures .plot"), (place + 0.5) / count, (place + 1.5) / count)
    expect(walk.page.locator("#card-failed .value")).to_have_text(formats.count(len(storm)))
    assert value(walk.page.locator("#card-cost .value")) == cost(storm)


def is_anything_missing(walk: Walk) -> None:
    walk.click(walk.page.locator("header").get_by_role("link", name="Collecting"))
    rows = walk.page.locator("#gaps tbody tr")
    expect(rows).to_have_count(CollectionGap.objects.count())
    for gap in CollectionGap.objects.all():
        row = rows.filter(has_text=f"{gap.since:%m-%d %H:%M}")
        expect(row).to_contain_text(formats.count(gap.lost) if gap.lost else "unknown")
    missing = sum(Reconciliation.objects.values_list("missing", flat=True))
    expect(walk.page.locator("#completeness")).to_contain_text(str(missing))


def which_models_are_unpriced(walk: Walk, month: list[UsageRecord]) -> None:
    walk.nav("Prices")
    unpriced = by((row for row in month if row.cost_nanousd is None and row.total_tokens), lambda row: row.model.name)
    shown = walk.page.locator("#unpriced tbody tr")
    expect(shown).to_have_count(len(unpriced))
    for name, rows in unpriced.items():
        assert value(shown.filter(has_text=name).get_by_role("cell").first) == len(rows)


def how_long_the_codex_pool_lasts(walk: Walk, now: datetime) -> None:
    walk.nav("Quota")
    rows = [
        row
        for row in QuotaWindow.objects.filter(source__account__channel__slug="codex", name="7d")
        if row.resets_at and row.resets_at > now
    ]
    left = sum(100 - row.used_percent for row in rows)
    paces = [
        row.used_percent / Decimal((row.seen_at - row.resets_at + 7 * _DAY).total_seconds())
        for row in rows
        if row.resets_at
    ]
    ends = max(row.seen_at for row in rows) + timedelta(seconds=float(left / sum(paces)))
    pool = walk.page.locator(".pools tbody tr").filter(has_text="codex").filter(has_text="7 days")
    expect(pool).to_contain_text(formats.percent(float(left / len(rows) / 100)))
    reset = min(row.resets_at for row in rows if row.resets_at)
    lasts = "lasts until the first reset" if ends >= reset else f"exhausted {ends:%m-%d %H:%M}"
    expect(pool).to_contain_text("—" if 100 - left / len(rows) < 5 or ends <= now else lasts)


def what_a_key_uses_at_night(walk: Walk, week: list[UsageRecord], name: str) -> None:
    filters = walk.page.get_by_role("search", name="Filters")
    walk.click(filters.locator("#key-menu"))
    walk.click(filters.get_by_role("checkbox", name=name))
    walk.click(filters.locator("details[open]").get_by_role("button", name="Apply"))
    expect(walk.page.locator(".chip", has_text=name)).to_be_visible()
    hours = by(
        (row for row in week if str(row.api_key) == name),
        lambda row: row.requested_at.replace(minute=0, second=0, microsecond=0),
    )
    cells = walk.page.locator(".heat tbody tr")
    nights = {hour: sum(row.total_tokens for row in rows) for hour, rows in hours.items() if hour.hour < 6}
    assert any(nights.values())
    for hour, tokens in nights.items():
        cell = cells.nth(hour.weekday()).locator("td").nth(hour.hour)
        expect(cell).to_have_text(formats.compact(tokens))


def did_the_cache_hit_rate_fall(walk: Walk, week: list[UsageRecord], before: list[UsageRecord]) -> None:
    rates = [sum(row.cache_read for row in rows) / sum(row.input_tokens for row in rows) for rows in (week, before)]
    change = rates[0] - rates[1]
    card = walk.page.locator("#card-cache")
    expect(card.locator(".value")).to_have_text(formats.percent(rates[0]))
    words = (
        "about the same" if abs(change) < 0.005 else f"{'up' if change > 0 else 'down'} by {abs(change) * 100:.1f} pp"
    )
    expect(card.locator(".delta .sr-only")).to_have_text(words)


def what_last_month_would_cost_today(walk: Walk, month: list[UsageRecord]) -> None:
    walk.click(walk.page.locator("#range-menu"))
    walk.click(walk.page.get_by_role("link", name="Last month"))
    expect(walk.page.locator("#range-menu")).to_contain_text("Last month")
    walk.click(walk.page.get_by_role("link", name="Show costs at current prices"))
    expect(walk.page.get_by_role("link", name="At current prices ×")).to_be_visible()
    booked = cost(month)
    told = value(walk.page.locator("#card-cost .value"))
    assert told == cost(at_current_prices(month)) != booked


def which_request_was_the_dearest(walk: Walk, week: list[UsageRecord]) -> None:
    dearest = max(week, key=lambda row: row.cost_nanousd or 0)
    walk.nav("Records")
    walk.click(walk.page.get_by_role("columnheader", name="Est. cost").get_by_role("link"))
    first = walk.page.locator(f"table tbody tr:first-child #record-{dearest.pk}")
    walk.click(first)
    drawer = walk.page.locator("#drawer")
    expect(drawer).to_contain_text(formats.money(dearest.cost_nanousd or 0))
    expect(drawer).to_contain_text(dearest.model.name)
