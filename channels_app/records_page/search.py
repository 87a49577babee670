"""Filters that only the records themselves can answer: sizes, endpoint, words, and which were tried more than once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Parameters
from channels_app.records import Narrowing
from channels_app.stats import Span
from channels_app.stats.client_requests import fresh_attempts
from channels_app.stats.conditions import listed
from channels_app.wrong import Wrong, texts_of
from usage.ingest.grains import RECORDS, SPEED, TOTAL
from usage.models import Attempt, FailureText, ModelName, RequestTraits

_LONGEST, _LARGEST = 200, 10**15
_ATTEMPTS, _TEXTS = Attempt._meta.db_table, FailureText._meta.db_table


@dataclass(frozen=True, slots=True)
class Size:
    """A figure that may be given a least and a most; `column` counts `per_unit` of what people write."""

    name: str
    label: Promise | str
    unit: Promise | str
    column: str
    per_unit: int

    def label_by(self, *, is_current: bool) -> Promise | str:
        """Records are found by what they were booked with, by whatever prices costs are told."""
        return _RECORDED if is_current and self.name == "cost" else self.label


_RECORDED = gettext_lazy("Recorded cost")
SIZES = (
    Size("tokens", gettext_lazy("Tokens"), "", f"({TOTAL})", 1),
    Size("input", gettext_lazy("Input"), "", "(CAST(uncached_input AS BIGINT) + cache_read + cache_write)", 1),
    Size("output", gettext_lazy("Output"), "", "(CAST(output AS BIGINT) + reasoning)", 1),
    Size("cost", gettext_lazy("Est. cost"), "$", "cost_nanousd", 10**9),
    Size("latency", gettext_lazy("Latency"), "s", "latency_ms", 1_000),
    Size("ttft", gettext_lazy("First token"), "s", "ttft_ms", 1_000),
    Size("speed", gettext_lazy("Speed"), gettext_lazy("tok/s"), f"({SPEED})", 10),
)
_BOUNDS = {f"{bound}_{size.name}": (size, sign) for size in SIZES for bound, sign in (("min", "≥"), ("max", "≤"))}
PARAMETERS = (*_BOUNDS, "endpoint", "q", "retried")


class Field(NamedTuple):
    """Where a bound is written: its parameter, what that says, and why it is ignored, where it is."""

    name: str
    value: str
    wrong: str


class Bounds(NamedTuple):
    """A size with the fields for its least and its most."""

    label: Promise | str
    unit: str
    least: Field
    most: Field


@dataclass(frozen=True, slots=True)
class Search:
    """`bounds` are parameters and what they say, as somebody wrote it and as a number; `wrong` are those that say none."""

    bounds: tuple[tuple[str, str, Decimal], ...] = ()
    endpoint: str = ""
    q: str = ""
    retried: bool = False
    wrong: tuple[Wrong, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parameters)

    @property
    def parameters(self) -> Parameters:
        texts = (("endpoint", self.endpoint), ("q", self.q), ("retried", "1" if self.retried else ""))
        return (*((name, text) for name, text, _value in self.bounds), *((name, text) for name, text in texts if text))

    @property
    def warnings(self) -> Iterator[str]:
        yield from (one.text for one in self.wrong)

    def fields(self, name: str, label: Promise | str, unit: Promise | str) -> Bounds:
        """Return the fields for the bounds of a size."""
        return Bounds(label, str(unit), self._field(f"min_{name}"), self._field(f"max_{name}"))

    def _field(self, name: str) -> Field:
        written = [(one, text) for one, text, _value in self.bounds] + [(one.name, one.value) for one in self.wrong]
        return Field(name, next((text for one, text in written if one == name), ""), texts_of(name, self.wrong))

    def in_words(self, *, is_current: bool) -> Iterator[tuple[str, Promise | str, str]]:
        """Yield each parameter with its label and what it is set to; `is_current`: costs are told at the prices of now."""
        for name, text, _value in self.bounds:
            size, sign = _BOUNDS[name]
            label, value = size.label_by(is_current=is_current), f"{text} {size.unit}".strip()
            yield name, f"{label} {sign} {'$' + text if size.unit == '$' else value}", ""
        if self.endpoint:
            yield "endpoint", _("Endpoint"), self.endpoint
        if self.q:
            yield "q", _("Search"), self.q
        if self.retried:
            yield "retried", _("Only retried"), ""

    def narrowing(self, span: Span) -> Narrowing:
        """Return the same in SQL, for records of `span`."""
        where, values = [], list[str]()
        for name, _text, value in self.bounds:
            size, sign = _BOUNDS[name]
            where.append(f"{size.column} {'>=' if sign == '≥' else '<='} {int(value * size.per_unit)}")
        if self.endpoint:
            rows = RequestTraits.objects.filter(endpoint=self.endpoint).values_list("pk", flat=True)
            where.append(f"traits_id IN {listed(rows) if rows else '(0)'}")
        if self.retried:
            fresh = {row.record_id for row in fresh_attempts(span)}
            # Of each record by its id: those of the whole span would be listed first.
            stored = f"EXISTS (SELECT 1 FROM {_ATTEMPTS} WHERE record_id = {RECORDS}.id)"
            where.append(f"({stored} OR id IN {listed(fresh)})" if fresh else stored)
        if self.q:
            where.append(_words(self.q))
            values = [f"{_escaped(self.q)}%", f"%{_escaped(self.q)}%"]
        return Narrowing(tuple(where), tuple(values))


def _words(q: str) -> str:
    """Words are those of a request id's beginning, of the name of a model, or of what upstream said of a failure."""
    models = listed(ModelName.objects.filter(name__icontains=q).values_list("pk", flat=True)[:1_000])
    of_models = f" OR model_id IN {models} OR alias_id IN {models}" if models != "()" else ""
    of_text = f"SELECT 1 FROM {_TEXTS} WHERE record_id = {RECORDS}.id AND LOWER(text) LIKE LOWER(%s) ESCAPE '!'"
    return f"(LOWER(request_id) LIKE LOWER(%s) ESCAPE '!'{of_models} OR (failed AND EXISTS ({of_text})))"


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def read_search(query: QueryDict) -> Search:
    """Return what the address asks for."""
    bounds, wrong = [], []
    for name in _BOUNDS:
        text = query.get(name, "").strip().replace(",", "")
        if not text:
            continue
        if (value := _number(text)) is None:
            told = _("%(name)s=%(value)s is no number such as 1.5, and is ignored") % {"name": name, "value": text[:60]}
            wrong.append(Wrong(name, text[:60], told))
        else:
            bounds.append((name, text, value))
    endpoint, q = (query.get(name, "").replace("\0", "").strip()[:_LONGEST] for name in ("endpoint", "q"))
    return Search(tuple(bounds), endpoint, q, query.get("retried", "") == "1", tuple(wrong))


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text) if text.isascii() and len(text) <= 20 else None
    except InvalidOperation:
        return None
    return value if value is not None and value.is_finite() and 0 <= value <= _LARGEST else None
