"""What tokens and their cost are made of: what is read from the cache is most of the tokens, and least of the cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.charts.look import OTHER as OTHER_LOOK
from channels_app.charts.look import Look
from channels_app.stats import Usage
from channels_app.stats.cost_mix import OTHER

# Field of Usage, what it is called, and its look; from the bottom of a stack, or the left of a bar.
KINDS: dict[str, tuple[Promise, Look]] = {
    "uncached_input": (gettext_lazy("Uncached input"), Look("t-uncached", "square")),
    "cache_write": (gettext_lazy("Cache write"), Look("t-write", "square")),
    "cache_read": (gettext_lazy("Cached input"), Look("t-cached", "square")),
    "output": (gettext_lazy("Answer output"), Look("t-output", "square")),
    "reasoning": (gettext_lazy("Reasoning"), Look("t-reason", "square")),
    "unclassified": (gettext_lazy("Unclassified"), Look("t-unclass", "square")),
}


class Part(NamedTuple):
    """Shares are of all tokens and of the whole cost, from 0 to 1; nano-USD. A None is what nobody knows."""

    key: str
    name: str
    look: Look
    tokens: int | None
    share: float | None
    cost: int | None
    share_of_cost: float | None


class Piece(NamedTuple):
    """A piece of a bar, in per cent of its length."""

    fill: str
    x: float
    width: float


@dataclass(frozen=True)
class Mix:
    """`costs` (nano-USD by kind) have no kind of which nothing is known to cost anything."""

    usage: Usage
    costs: Mapping[str, int]

    @property
    def parts(self) -> list[Part]:
        """What is unclassified only where there is some, and what is for no tokens too."""
        parts = [
            self._part(key, str(name), look, getattr(self.usage, key))
            for key, (name, look) in KINDS.items()
            if getattr(self.usage, key) or key != "unclassified"
        ]
        return [*parts, *([self._part(OTHER, _("Per request"), OTHER_LOOK, None)] if OTHER in self.costs else [])]

    def _part(self, key: str, name: str, look: Look, tokens: int | None) -> Part:
        whole, cost = self.usage.total_tokens or 1, self.costs.get(key)
        share = None if tokens is None else tokens / whole
        return Part(key, name, look, tokens, share, cost, None if cost is None else cost / sum(self.costs.values()))

    @property
    def bars(self) -> list[tuple[str, list[Piece]]]:
        tokens = [(part.look, part.tokens or 0) for part in self.parts]
        costs = [(part.look, part.cost or 0) for part in self.parts]
        return [(_("Tokens"), _pieces(tokens)), *([(_("Est. cost"), _pieces(costs))] if self.costs else [])]


def _pieces(parts: list[tuple[Look, int]]) -> list[Piece]:
    whole, pieces, x = sum(value for _look, value in parts), [], 0.0
    for look, value in parts:
        if value:
            width = 100 * value / whole
            pieces.append(Piece(look.fill, round(x, 2), round(width, 2)))
            x += width
    return pieces
