"""Reads the exact figures of a page: those of its cards, of its tables of usage, and of its charts of time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from tests.pages import text

# What adds up, by the class of its cells; `failed` and `succeeded` stand in the title of the rate.
ADDED = (
    "requests", "failed", "succeeded", "tokens", "input", "cached", "written", "output", "reasoning", "unclassified", "cost",
)  # fmt: skip
_ROW = re.compile(r'<tr(?: id="[\w-]+")?(?: class="(\w+)[^"]*")?>(.*?)</tr>', re.DOTALL)
_CELL = re.compile(r'<td class="([\w-]+)"[^>]*>(.*?)</td>', re.DOTALL)
_OUTCOMES = re.compile(r'title="([\d,]+) succeeded, ([\d,]+) failed')


@dataclass
class Line:
    """A row of a table: what it is called, where its page is, its figures, and the rows that it is divided into."""

    name: str
    page: str
    figures: dict[str, int]
    parts: list[Line] = field(default_factory=list)


def usage_lines(html: str, within: str = "") -> tuple[list[Line], Line]:
    """Return the rows of the table of usage, and its total; `within` is where on the page it begins."""
    table = html.partition(within or '<div class="table usage')[2].partition("</table>")[0]
    body, _, foot = table.partition("</thead>")[2].partition("<tfoot>")
    lines = [_tree(tbody) for tbody in re.findall(r"<tbody.*?</tbody>", body, re.DOTALL)]
    return lines, _line(foot)


def _tree(tbody: str) -> Line:
    """A row, its parts, and of each part (an account) the pieces (models) that follow it."""
    (_kind, first), *others = _ROW.findall(tbody)
    whole = _line(first)
    for kind, row in others:
        (whole.parts[-1] if kind == "model" else whole).parts.append(_line(row))
    return whole


def _line(row: str) -> Line:
    link = re.search(r'<a class="name" href="([^"]*)"', row)
    head = row.partition("</th>")[0]
    return Line(text(head), unescape(link[1]) if link else "", dict(_figures(row)))


def _figures(row: str) -> Iterator[tuple[str, int]]:
    for key, cell in _CELL.findall(row):
        if key == "success" and (counts := _OUTCOMES.search(cell)):
            yield from zip(("succeeded", "failed"), (_number(count) for count in counts.groups()), strict=True)
        elif (value := value_of(cell.partition('<div class="popover"')[0])) is not None:
            yield key, value


def value_of(html: str) -> int | None:
    """Return the first exact figure in it; None where there is none."""
    found = re.search(r'data-value="(-?\d+)"', html)
    return int(found[1]) if found else None


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def card(html: str, key: str) -> int | None:
    """Return the figure of a card."""
    return value_of(_card(html, key).partition('class="value"')[2].partition("</p>")[0])


def _card(html: str, key: str) -> str:
    return html.partition(f'id="card-{key}"')[2].partition('<div class="kpi')[0]


def outcomes(html: str) -> dict[str, int]:
    """Return what the card of the requests says of them."""
    found = re.findall(r"([\d,]+) (succeeded|failed)", text(_card(html, "requests")))
    return {word: _number(count) for count, word in found}


def mix(html: str) -> dict[str, int]:
    """Return the tokens of each type."""
    table = html.partition('aria-labelledby="mix-title"')[2].partition("</table>")[0]
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', table, re.DOTALL)
    return {text(name): value_of(tokens) or 0 for name, tokens in rows}


def mix_of_cost(html: str) -> int | None:
    """Return what the costs of all types are together."""
    table = html.partition('aria-labelledby="mix-title"')[2].partition("</table>")[0]
    costs = [value_of(row[2]) for row in re.findall(r"<td>(.*?)</td>" * 4, table, re.DOTALL)]
    return None if set(costs) <= {None} else sum(cost or 0 for cost in costs)


@dataclass
class Chart:
    """`bars` are the series with their sums over all intervals, `totals` what the column of the totals adds up to."""

    bars: list[tuple[str, int]]
    totals: int

    @property
    def sum(self) -> int:
        return sum(value for _name, value in self.bars)


def chart(html: str, key: str) -> Chart:
    """Return what the table of a chart of time says."""
    table = html.partition(f'id="numbers-{key}"')[2].partition("</table>")[0]
    names = [text(name) for name in re.findall(r'<th scope="col" data-part[^>]*>(.*?)</th>', table)]
    sums = Counter[int]()
    for row in re.findall(r"<tr><th scope=\"row\".*?</tr>", table, re.DOTALL):
        for place, cell in enumerate(re.findall(r"<td(.*?)</td>", row, re.DOTALL)):
            sums[place] += value_of(cell) or 0
    return Chart([(name, sums[place]) for place, name in enumerate(names)], sums[len(names)])


def legend(html: str, key: str) -> list[tuple[str, str]]:
    """Return what the legend of a chart of time says of each series."""
    items = html.partition(f'id="chart-{key}"')[2].partition('class="legend"')[2].partition("</ul>")[0]
    return [(text(name), text(total)) for name, total in re.findall(r'class="name">(.*?)</span> <b>(.*?)</b>', items)]
