"""Whatever is asked, each page adds up, and all pages tell the same (`ui.md` 6): read from what they show, and nothing else."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.factories import examples
from tests.figures import ADDED, Line, card, chart, legend, mix, mix_of_cost, outcomes, usage_lines, value_of
from tests.test_questions import OF_RECORD, words_of
from usage import formats
from usage.demo.seeding import seed
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db
# The clocks of Europe and America have changed in the five weeks before.
NOW, DAYS = datetime.fromisoformat("2026-11-23T18:12:05+08:00"), 35
ZONES = ("", "UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia")
RANGES = ("", "1h", "6h", "24h", "today", "yesterday", "7d", "30d", "90d", "mtd", "lastmonth", "all")
WRITTEN = {"tokens": formats.compact, "cost": formats.money, "requests": formats.count, "failed": formats.count}
FILTERS = ("server", "channel", "account", "model", "key", "status", "code")
COLUMNS = ("written", "reasoning", "unclassified")
Question = dict[str, Any]
Figures = dict[str, int]


@pytest.fixture
def demo() -> None:
    seed(seed=7, days=DAYS, records=700, now=NOW)


def words_of_one(place: int) -> dict[str, str]:
    """The filters that some record of the demo fulfils."""
    rows = UsageRecord.objects.select_related("source__account").order_by("pk")
    row, found = rows[place % rows.count()], {}
    for name in FILTERS[:5]:
        words = {pk: word for word, pk in words_of(name).items()}
        if OF_RECORD[name](row) in words:  # a source that nobody knows has no account
            found[name] = words[OF_RECORD[name](row)]
    return found | ({"status": "fail", "code": str(row.status_code)} if row.failed else {"status": "ok"})


class Draft(NamedTuple):
    """A question before there are records: filters that one of these fulfils, or either of two."""

    places: tuple[int, int]
    filters: dict[str, tuple[int, bool]]
    more: Question

    def asked(self) -> Question:
        both = [words_of_one(place) for place in self.places]
        asked = {
            name: sorted({one[name] for one in both[:some] if name in one}) for name, (some, _) in self.filters.items()
        }
        if "code" in asked and self.filters["code"][1]:
            asked["code"] = sorted({f"{code[0]}xx" for code in asked["code"]})
        return {**asked, **self.more}


@st.composite
def periods(draw: Any) -> Question:
    """Any span of the demo's weeks, by days or to the minute."""
    since = NOW - draw(st.integers(0, DAYS * 24 * 60)) * timedelta(minutes=1)
    until = since + draw(st.sampled_from([1, 90, 60 * 30, 24 * 60 * 9, 24 * 60 * 40])) * timedelta(minutes=1)
    form = draw(st.sampled_from(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]))
    return {"from": f"{since:{form}}", "to": f"{until:{form}}"}


drafts = st.builds(
    Draft,
    st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)),
    st.dictionaries(st.sampled_from(FILTERS), st.tuples(st.integers(1, 2), st.booleans()), max_size=3),
    st.builds(
        lambda period, **others: {**period, **others},
        st.one_of(st.builds(lambda name: {"range": name}, st.sampled_from(RANGES)), periods()),
        tz=st.sampled_from(ZONES), basis=st.sampled_from(["", "current"]), cmp=st.sampled_from(["", "week", "off"]),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Pages:
    """What somebody reads who asks all of them the same."""

    client: Client
    asked: Question

    def html(self, path: str, **more: Any) -> str:
        return self._text(path, self.asked | more)

    def linked(self, address: str) -> str:
        return self._text(address, {})

    def file(self, path: str, **more: Any) -> list[dict[str, str]]:
        text = self._text(path, self.asked | more | {"format": "csv"})
        return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))

    def _text(self, address: str, query: Question) -> str:
        given = {name: value for name, value in query.items() if value}
        answer: Any = self.client.get(f"{address}?{urlencode(given, doseq=True)}" if given else address)
        assert answer.status_code == 200, address
        return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()


# To make a failing example smaller would take minutes.
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(12), phases=[Phase.generate]
)
@given(draft=drafts, metric=st.sampled_from([*WRITTEN]), number=st.integers(0, 99))
def test_each_page_adds_up_and_all_tell_the_same(
    demo: None, client: Client, draft: Draft, metric: str, number: int
) -> None:
    with time_machine.travel(NOW, tick=False):
        client.force_login(get_user_model().objects.get_or_create(username="reader")[0])
        pages = Pages(client, draft.asked())
        truth = of_records(pages)
        same(truth, of_the_overview(pages, metric, truth), of_the_channels(pages, metric, truth))
        same(truth, of_a_list(pages, "/models/"), of_a_list(pages, "/keys/"), of_an_entity(pages, metric, number))
        check_the_list_of_records(pages, truth)
        check_errors(pages, truth)
        check_explore(pages, metric, truth, number)
        check_the_matrix(pages, truth, number)


def same(truth: Figures, *pages: Figures) -> None:
    for told in pages:
        assert told == {key: truth[key] for key in told}


def check_line(line: Line, *, is_full: bool) -> None:
    """The metrics of ui.md 6 within one row, and its parts together. A table that `is_full` has all that is not zero."""
    have = line.figures
    unclassified = have["tokens"] - have["input"] - have["output"]
    assert unclassified == have.get("unclassified", 0) or (not is_full and unclassified > 0), line.name
    assert have["requests"] == have["succeeded"] + have["failed"], line.name
    assert 0 <= have.get("reasoning", 0) <= have["output"], line.name
    assert have["cached"] + have.get("written", 0) <= have["input"], line.name
    if line.parts:
        assert added(line.parts) == whole(line), line.name
    for part in line.parts:
        check_line(part, is_full=is_full)


def added(lines: Sequence[Line]) -> Figures:
    found = Counter[str]()
    for line in lines:
        found.update(line.figures)
    return {key: found[key] for key in ADDED}


def whole(line: Line) -> Figures:
    """What is missing, because nothing has a price or is of a kind, adds nothing."""
    return {key: line.figures.get(key, 0) for key in ADDED}


# What each page tells of all that is asked.


def of_records(pages: Pages) -> Figures:
    """Added up one by one, from their file."""
    found = Counter[str]()
    for row in pages.file("/records/"):
        tokens = {name: int(row[name]) for name in ("uncached_input", "cache_read", "cache_write", "answer_output", "reasoning", "unclassified")}  # fmt: skip
        found.update(
            requests=1, failed=int(row["failed"] == "true"), succeeded=int(row["failed"] == "false"),
            tokens=int(row["total_tokens"]), input=tokens["uncached_input"] + tokens["cache_read"] + tokens["cache_write"],
            cached=tokens["cache_read"], written=tokens["cache_write"], reasoning=tokens["reasoning"],
            output=tokens["answer_output"] + tokens["reasoning"], unclassified=tokens["unclassified"],
            cost=nanousd(row["est_cost_usd"]),
        )  # fmt: skip
    return {key: found[key] for key in ADDED}


def nanousd(usd: str) -> int:
    return int(Decimal(usd or 0) * 10**9)


def of_the_overview(pages: Pages, metric: str, truth: Figures) -> Figures:
    """Its table; the cards, the mix and the chart tell the same."""
    html = pages.html("/", open=",".join(words_of("channel")), metric=metric, by="model")
    if says_nothing(html, truth):
        return {}
    check_cards(html, metric, truth)
    return of_a_table(html, 'class="block wide-block channels-block"') | outcomes(html)


def says_nothing(html: str, truth: Figures) -> bool:
    is_empty = "<td" not in html
    assert is_empty == (not truth["requests"])
    return is_empty


def check_cards(html: str, metric: str, truth: Figures) -> None:
    same(truth, {key: card(html, key) or 0 for key in ("requests", "tokens", "cost")}, outcomes(html))
    kinds = mix(html)
    assert truth["input"] == kinds["Uncached input"] + kinds["Cached input"] + kinds["Cache write"]
    assert truth["output"] == kinds["Answer output"] + kinds["Reasoning"]
    assert truth["tokens"] == sum(kinds.values())
    assert truth["cost"] == (mix_of_cost(html) or 0)
    check_bars(html, "usage", metric, truth[metric])


def check_bars(html: str, name: str, metric: str, total: int) -> None:
    """The bars of a chart are the figure, and so is its legend."""
    found = chart(html, name)
    assert found.sum == found.totals == total
    assert legend(html, name) == [(one, WRITTEN[metric](value)) for one, value in found.bars]


def of_a_table(html: str, within: str = "", *, is_full: bool = False) -> Figures:
    lines, total = usage_lines(html, within)
    for line in (*lines, total):
        check_line(line, is_full=is_full)
    assert added(lines) == whole(total)
    return {key: value for key, value in whole(total).items() if key in total.figures}


def of_the_channels(pages: Pages, metric: str, truth: Figures) -> Figures:
    """With all accounts and all of their models; the file says what the table says."""
    keys = ",".join((*words_of("channel"), *(f"account-{pk}" for pk in words_of("account"))))
    asked = {"open": keys, "cols": COLUMNS, "metric": metric, "sort": "name"}
    html = pages.html("/channels/", **asked)
    if says_nothing(html, truth):
        return {}
    check_bars(html, "usage", metric, truth[metric])
    lines, _total = usage_lines(html)
    unknown = sum(line.figures["requests"] for line in lines if line.name.startswith("Unknown channel"))
    told = re.search(r'class="unmatched">(.*?)</span>', html, re.DOTALL)
    assert unknown == ((value_of(html[told.start() :]) or 0) if told else 0)
    found = of_a_table(html, is_full=True)
    check_the_file(pages, "/channels/", asked, found)
    return found


def check_the_file(pages: Pages, path: str, asked: Question, told: Figures) -> None:
    rows = [row for row in pages.file(path, **asked) if not row.get("part_of")]
    fields = {"requests": "requests", "tokens": "total_tokens", "output": "output_tokens"}
    for key, field in fields.items():
        assert sum(int(row[field]) for row in rows) == told[key]
    assert sum(nanousd(row["est_cost_usd"]) for row in rows) == told.get("cost", 0)


def of_a_list(pages: Pages, path: str) -> Figures:
    """Each model with its channels, or each key with its models."""
    name = path.strip("/")[:-1]
    keys = ",".join(f"{name}-{pk}" for pk in words_of(name).values())
    html = pages.html(path, open=keys, cols=(*COLUMNS, "hit"))
    if "<td" not in html:
        return {}
    check_the_file(pages, path, {"cols": COLUMNS}, found := of_a_table(html, is_full=True))
    return found


def of_an_entity(pages: Pages, metric: str, number: int) -> Figures:
    """Some row of some table and the page that it leads to tell the same; nothing of the whole."""
    path, more = (("/channels/", {"open": "claude,codex,unknown"}), ("/models/", {}), ("/keys/", {}))[number % 3]
    lines, _total = usage_lines(pages.html(path, **more, cols=COLUMNS))
    every = [one for line in lines for one in (line, *line.parts) if one.page]
    if every:
        line = every[number % len(every)]
        html = pages.linked(f"{line.page}{'&' if '?' in line.page else '?'}metric={metric}")
        check_cards(html, metric, whole(line))
        if 'class="table usage' in html:
            told = of_a_table(html)
            same(whole(line), told)
    return {}


def check_the_list_of_records(pages: Pages, truth: Figures) -> None:
    html = pages.html("/records/", limit="200", cols=("written",))
    assert count_of(html) == truth["requests"]
    if truth["requests"] <= 200:
        for key, css in {"input": "input", "cached": "cached", "output": "output", "reasoning": "reasoning", "tokens": "total[^\"]*", "cost": "cost"}.items():  # fmt: skip
            cells = re.findall(rf'<td class="{css}"[^>]*>(.*?)</td>', html, re.DOTALL)
            assert sum(value_of(cell) or 0 for cell in cells) == truth[key], key


def count_of(html: str) -> int:
    """How many requests a list of records says that it is of."""
    return value_of(html.partition('class="summary"')[2].partition("</span>")[0]) or 0


def check_errors(pages: Pages, truth: Figures) -> None:
    html = pages.html("/errors/", limit="200")
    assert (card(html, "failed") or 0) == truth["failed"]
    if truth["failed"]:
        found = chart(html, "failures")
        assert found.sum == found.totals == truth["failed"]
        rows = re.findall(r'<tr class="group-row">.*?<td class="count"[^>]*>(.*?)</td>', html, re.DOTALL)
        assert sum(value_of(row) or 0 for row in rows) == truth["failed"]
        first = re.search(r'<span class="about"><a href="([^"]*)"', html)
        assert first and count_of(pages.linked(unescape(first[1]))) == value_of(rows[0])


def check_explore(pages: Pages, metric: str, truth: Figures, number: int) -> None:
    by = ("channel", "account", "model", "key", "status", "code", "none")[number % 7]
    html = pages.html("/explore/", metric=metric, by=by, by2=("", "model", "channel")[number % 3], limit="5")
    if 'class="table pivot"' not in html:
        assert not truth[metric] or (by == "code" and not truth["failed"])
        return
    rows = list(pivot(html))
    groups, total = [row for row in rows if row[0] == "group-row"], rows[-1][1]
    asked = chart(html, "explore")
    if by != "code":  # of which only failures have one
        assert total == truth[metric]
    assert sum(value for _css, value, _link in groups) == total == asked.sum
    if any(css == "part-row" for css, *_rest in rows):
        check_parts(rows)
    linked = [row for row in groups if row[2]]
    if linked and metric in ("requests", "failed"):
        _css, value, link = linked[number % len(linked)]
        count = count_of(pages.linked(link))
        assert count == value if metric == "requests" else count >= value


def pivot(html: str) -> Iterator[tuple[str, int, str]]:
    """Each row of the table, the last of which is the total: its class, its figure, and where its records are."""
    table = html.partition('class="table pivot"')[2].partition("</thead>")[2].partition("</table>")[0]
    for css, row in re.findall(r'<tr class="([\w-]*)">(.*?)</tr>', table, re.DOTALL):
        link = re.search(r'<a class="name" href="([^"]*)"', row)
        yield css, value_of(row) or 0, unescape(link[1]) if link else ""


def check_parts(rows: Sequence[tuple[str, int, str]]) -> None:
    """Parts of a group are the group; the others together have none."""
    sums: list[list[int]] = []
    for css, value, _link in rows[:-1]:
        if css == "group-row":
            sums.append([value])
        else:
            sums[-1].append(value)
    assert all(first == sum(parts) for first, *parts in sums if parts)


def check_the_matrix(pages: Pages, truth: Figures, number: int) -> None:
    html = pages.html("/keys/", metric="requests").partition('class="matrix"')[2].partition("</table>")[0]
    cells = re.findall(r'<td class="heat-\d" data-value="(\d+)">(?:<a href="([^"]*)")?', html)
    assert sum(int(value) for value, _link in cells) == truth["requests"]
    if linked := [cell for cell in cells if cell[1]]:
        value, link = linked[number % len(linked)]
        assert count_of(pages.linked(unescape(link))) == int(value)
