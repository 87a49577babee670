"""All that is known of one record: what it used, how its cost comes about, its times, the other attempts, its error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_app.address import Address
from channels_app.cost_explanation import Explanation, Outcome, explain
from channels_app.filter_bar.scope import Scope
from channels_app.filter_bar.shift import written
from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.record_costs import prices_of, told_by
from channels_app.record_serializers import RecordSerializer
from channels_app.records import Cursor, place_of, records, tokens_per_second, with_names
from channels_app.records_page.columns import MEANINGS
from channels_app.records_page.menus import Menus
from channels_app.records_page.page import RecordRow
from channels_app.records_page.query import RecordsQuery
from channels_app.stats.client_requests import attempts_of
from channels_app.stats.failures import Kind
from usage.meaning import Meaning, meanings
from usage.models import FailureText, UsageRecord
from usage.models.record import NO_MESSAGE, NO_STATUS

_AROUND = timedelta(minutes=5)
_LONGEST_TEXT = 20_000
TOKEN_KINDS: dict[str, Promise] = {
    "uncached_input": _("Uncached input"),
    "cache_read": _("Cached input"),
    "cache_write": _("Cache write"),
    "output": _("Answer output"),
    "reasoning": _("Reasoning"),
    "unclassified": _("Unclassified"),
}
_QUALITIES: dict[int, Promise] = {
    UsageRecord.Quality.COMPLETE: _("All tokens are told, by kind."),
    UsageRecord.Quality.ESTIMATED: _("Told by an older CPA: split into kinds by our rules."),
    UsageRecord.Quality.UNCLASSIFIED: _("The total is known, its kinds are not."),
    UsageRecord.Quality.INCONSISTENT: _("What upstream told exceeds its own total."),
}
_TIMING = meanings(
    ("ttft", _("First token"), MEANINGS["ttft"].note),
    ("writing", _("Generation"), _("From the first token to the end of the answer")),
    ("latency", *MEANINGS["latency"][1:]),
    ("speed", *MEANINGS["speed"][1:]),
    ("received", _("Received"), _("When this record came here from CPA")),
)
_ATTEMPTS = meanings(
    ("start", _("Start"), _("Time since the first attempt began")),
    ("latency", *MEANINGS["latency"][1:]),
    ("tokens", _("Tokens"), MEANINGS["total"].note),
    ("cost", *MEANINGS["cost"][1:]),
)
_OUTCOMES: dict[str, Promise] = {
    Outcome.PRICE_CHANGED: _(
        "Its price was changed after it was booked: by the price as it is now it would cost this."
    ),
    Outcome.PRICE_DELETED: _("The price that it was booked with is no longer there."),
    Outcome.UNPRICED: _("Its model had no price when it was booked."),
}
_UNPRICED_NOW = _("Its model has no price now.")


@dataclass(frozen=True, slots=True)
class Slice:
    """One kind of token: how many, and where in the bar it lies (fractions of 1)."""

    kind: str
    label: Promise
    tokens: int
    start: float
    share: float


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One attempt: its record where that is still there, and where in the time of all it lies (fractions of 1)."""

    number: int
    row: UsageRecord
    is_this: bool
    after: timedelta
    start: float
    share: float

    @property
    def is_wasted(self) -> bool:
        return self.row.failed and bool(self.row.total_tokens or self.row.cost_nanousd)


class RecordDetail:
    """`query` is the list that it was opened from; `row` tells the cost by its basis, `booked` as it is in the ledger."""

    def __init__(self, booked: UsageRecord, query: RecordsQuery) -> None:
        self.booked, self.query = booked, query
        self._prices = prices_of(query.scope.basis)
        (self.row,) = told_by(self._prices, [booked])

    @property
    def scope(self) -> Scope:
        return self.query.scope

    @property
    def address(self) -> Address:
        return self.query.address

    @property
    def line(self) -> RecordRow:
        return RecordRow(self.row, None, self.booked)

    @cached_property
    def menus(self) -> Menus:
        return Menus(self.address, self.scope.address, "record-")

    @property
    def other_basis(self) -> Address:
        return self.scope.other_basis(self.address)

    @property
    def about_timing(self) -> dict[str, Meaning]:
        return _TIMING

    @property
    def about_attempts(self) -> dict[str, Meaning]:
        return _ATTEMPTS

    @property
    def quality(self) -> Promise:
        return _QUALITIES[self.row.quality]

    @cached_property
    def slices(self) -> list[Slice]:
        """What was used, in the order in which kinds are drawn everywhere."""
        total, start, found = self.row.total_tokens or 1, 0, []
        for kind, label in TOKEN_KINDS.items():
            tokens = getattr(self.row, kind)
            found.append(Slice(kind, label, tokens, start / total, tokens / total))
            start += tokens
        return [one for one in found if one.tokens]

    @cached_property
    def explanation(self) -> Explanation:
        return explain(self.row)

    @property
    def cost_lines(self) -> list[tuple[Promise, object]]:
        return [(TOKEN_KINDS[line.bucket], line) for line in self.explanation.lines if line.tokens]

    @property
    def costs_nothing(self) -> bool:
        """Whether there is nothing to multiply."""
        return not self.row.total_tokens and not self.explanation.per_request_usd

    @property
    def outcome_text(self) -> Promise | None:
        is_unpriced = self.explanation.outcome == Outcome.UNPRICED
        return _UNPRICED_NOW if is_unpriced and self.scope.is_current else _OUTCOMES.get(self.explanation.outcome)

    @property
    def first_token_share(self) -> float | None:
        """Of the whole time; None where one of both is not told."""
        latency, ttft = self.row.latency_ms, self.row.ttft_ms
        return ttft / latency if latency and ttft and ttft <= latency else None

    @property
    def writing_ms(self) -> int | None:
        return None if self.first_token_share is None else (self.row.latency_ms or 0) - (self.row.ttft_ms or 0)

    @property
    def speed(self) -> float | None:
        return tokens_per_second(self.row)

    @property
    def is_websocket(self) -> bool:
        """One whole connection has one request id; its endpoint is that of the handshake."""
        return self.row.traits.endpoint.startswith("GET ")

    @cached_property
    def attempts(self) -> list[AttemptLine]:
        """Of its client request, in order; none where it took but this one."""
        group = attempts_of(self.row)
        booked = with_names(UsageRecord.objects.filter(pk__in=[one.record_id for one in group]))
        rows = {row.pk: row for row in told_by(self._prices, booked)}
        found = [(one.number, rows[one.record_id]) for one in group if one.record_id in rows]
        return _waterfall(found, self.row) if len(found) > 1 else []

    @cached_property
    def error(self) -> str:
        """What upstream said of the failure, without secrets, as it is stored; JSON as people read it."""
        found = FailureText.objects.filter(record=self.row).first()
        if found is None:
            return ""
        try:
            text = json.dumps(json.loads(found.text), indent=2, ensure_ascii=False)
        except ValueError:
            text = found.text
        return text[:_LONGEST_TEXT]

    @property
    def raw(self) -> str:
        """The row as the API tells it: names and ids, no key."""
        return json.dumps(RecordSerializer(self.booked).data, indent=2, ensure_ascii=False, default=str)

    @property
    def older(self) -> int | None:
        return self._neighbour(back=False)

    @property
    def newer(self) -> int | None:
        return self._neighbour(back=True)

    def _neighbour(self, *, back: bool) -> int | None:
        """The record that comes next in the list, towards its end or its beginning."""
        sort, span = self.query.sort, self.scope.span
        cursor = Cursor(sort, place_of(self.booked, sort), back)
        page = records(span, self.query.conditions, sort, cursor, 1, self.query.search.narrowing(span))
        return page.rows[0].pk if page.rows else None

    @property
    def same_channel(self) -> Address:
        channel = self.row.source.known_channel
        return self._list.setting("channel", channel.slug if channel else UNKNOWN_CHANNEL)

    @property
    def same_error(self) -> Address | None:
        if not self.row.failed:
            return None
        kind = Kind(self.row.status_code or NO_STATUS, self.row.message_id or NO_MESSAGE)
        return self._list.setting("failure", str(kind))

    @property
    def around(self) -> Address:
        """What else came at that time."""
        zone = self.scope.period.zone
        since, until = ((self.row.requested_at + shift).astimezone(zone) for shift in (-_AROUND, _AROUND))
        first, last = written(since, until)
        return self._list.without("range", "days", "cmp").setting("from", first).setting("to", last)

    @property
    def _list(self) -> Address:
        """Of the same period, with no other filter."""
        return self.address.only(("range", "days", "from", "to", "tz", "basis", "cols", "limit"))


def _waterfall(attempts: Sequence[tuple[int, UsageRecord]], this: UsageRecord) -> list[AttemptLine]:
    began = min(row.requested_at for _number, row in attempts)
    ends = [row.requested_at + timedelta(milliseconds=row.latency_ms or 0) for _number, row in attempts]
    whole = max(max(ends) - began, timedelta(milliseconds=1))
    return [
        AttemptLine(
            number, row, row.pk == this.pk, row.requested_at - began,
            (row.requested_at - began) / whole, (end - row.requested_at) / whole,
        )
        for (number, row), end in zip(attempts, ends, strict=True)
    ]  # fmt: skip
