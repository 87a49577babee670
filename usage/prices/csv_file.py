"""Rows as CSV: UTF-8 with a BOM for Excel, RFC 4180, exact decimals. What is written reads back as it was."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from io import StringIO
from typing import NamedTuple

from django.utils.translation import gettext as _

from usage.models import Channel

MOST_BYTES = 8 * 2**20
_BOM = "\ufeff"
# A spreadsheet would calculate what begins so. A quote before it says that it is text, also where there is one already.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")


class BadCsv(ValueError):
    """A file that is no such table; its message says why."""


class Line(NamedTuple):
    """`number` is the first of the file's lines that the row takes."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file: attributes of its rows, a channel by its slug and an account by its number, as in the API."""

    columns: tuple[str, ...]
    required: tuple[str, ...]

    def write(self, rows: Iterable[object]) -> Iterator[str]:
        """Yield the file, line by line."""
        yield _BOM + _line(self.columns)
        for row in rows:
            yield _line([_cell(getattr(row, "account_id" if name == "account" else name)) for name in self.columns])

    def read(self, content: bytes) -> list[Line]:
        """Return the rows. Columns come in any order; those that are not required may be left out, or empty."""
        reader = csv.reader(StringIO(_text(content), newline=""), strict=True)
        lines, header, number = list[Line](), list[str](), 1
        try:
            for row in reader:
                if not header:
                    header = self._header(row)
                elif row:
                    lines.append(Line(number, _cells(header, row, number)))
                number = reader.line_num + 1
        except csv.Error as error:
            raise BadCsv(_("Line %(line)s is no CSV: %(reason)s") % {"line": number, "reason": error}) from None
        if not header:
            raise BadCsv(_("The file is empty; its first line should name the columns"))
        return lines

    def _header(self, row: Sequence[str]) -> list[str]:
        header = [name.strip().lower() for name in row]
        known = {"names": ", ".join(self.columns)}
        for name in header:
            if name not in self.columns:
                raise BadCsv(_("Line 1: “%(name)s” is no column; there are: %(names)s") % {"name": name[:40], **known})
            if header.count(name) > 1:
                raise BadCsv(_("Line 1: the column %(name)s is there twice") % {"name": name})
        for name in self.required:
            if name not in header:
                raise BadCsv(_("Line 1: the column %(name)s is missing") % {"name": name})
        return header


def _line(cells: Sequence[str]) -> str:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, time):
        return "" if value == time.min else value.isoformat("auto" if value.second or value.microsecond else "minutes")
    if isinstance(value, Channel):
        return value.slug
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise BadCsv(_("The file has more than %(most)s MB") % {"most": MOST_BYTES // 2**20})
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadCsv(_("Line %(line)s is no UTF-8; save the file as “CSV UTF-8”") % {"line": line}) from None


def _cells(header: Sequence[str], row: Sequence[str], number: int) -> dict[str, str]:
    if len(row) != len(header):
        counts = {"line": number, "cells": len(row), "columns": len(header)}
        raise BadCsv(_("Line %(line)s has %(cells)s cells; the first line names %(columns)s columns") % counts)
    return {name: cell[1:] if _QUOTED.match(cell) else cell for name, cell in zip(header, row, strict=True)}
