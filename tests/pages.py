"""Reads what pages of usage say: the words of a part, and the rows of a table."""

from __future__ import annotations

import re
from html import unescape

_VALUE = re.compile(r'<td class="([\w-]+)"[^>]*>(.*?)</td>', re.DOTALL)


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def rows(html: str) -> list[dict[str, str]]:
    """Return the rows of the tables of usage, in order: `row` (entity, part or empty), `name`, and the words of each cell."""
    found = []
    for table in re.findall(r'<div class="table usage[ "].*?</table>', html, re.DOTALL):
        _head, _, body = table.partition("</thead>")
        for attributes, content in re.findall(r"<tr([^>]*)>(.*?)</tr>", body, re.DOTALL):
            kind = re.search(r'class="(\w+)', attributes)
            name = re.search(r'<(?:a|span) class="name"[^>]*>(.*?)<', content) or re.search(
                r'<th scope="row">(.*?)<', content
            )
            cells = {key: text(cell) for key, cell in _VALUE.findall(content)}
            found.append({"row": kind[1] if kind else "", "name": unescape(name[1]) if name else "", **cells})
    return found


def exact(html: str, column: str) -> list[int]:
    """Return the exact values of a column of these tables, from top to bottom."""
    tables = "".join(re.findall(r'<div class="table usage[ "].*?</table>', html, re.DOTALL))
    return [int(value) for value in re.findall(rf'<td class="{column}"[^>]*><span data-value="(\d+)"', tables)]


def opened(html: str) -> dict[str, int]:
    """Return how many rows each open row says that it has opened, by the id of its toggle; all of them are there."""
    found = {}
    for id, state, ids in re.findall(
        r'id="(toggle-[^"]+)"[^>]* aria-expanded="(\w+)"(?: aria-controls="([^"]*)")?', html
    ):
        assert bool(ids) == (state == "true"), id
        assert all(html.count(f'<tr id="{one}"') == 1 for one in ids.split()), ids
        if ids:
            found[id] = len(ids.split())
    return found
