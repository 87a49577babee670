"""What tokens are made of: bars of all, and of all but those read from the cache, which would hide the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.charts.look import Look
from channels_app.stats import Usage

# Field of Usage, what it is called, and its look; from the bottom of a stack, or the left of a bar.
KINDS: dict[str, tuple[Promise, Look]] = {
    "uncached_input": (gettext_lazy("Uncached input"), Look("t-uncached", "square")),
    "cache_write": (gettext_lazy("Cache write"), Look("t-write", "square")),
    "cache_read": (gettext_lazy("Cached input"), Look("t-cached", "square")),
    "output": (gettext_lazy("Answer output"), Look("t-output", "square")),
    "reasoning": (gettext_lazy("Reasoning"), Look("t-reason", "square")),
    "unclassified": (gettext_lazy("Unclassified"), Look("t-unclass", "square")),
}
CACHED = "cache_read"


class Part(NamedTuple):
    """`share` is of all tokens, from 0 to 1."""

    key: str
    name: str
    look: Look
    tokens: int
    share: float


class Piece(NamedTuple):
    """A piece of a bar, in per cent of its length."""

    fill: str
    x: float
    width: float


@dataclass(frozen=True)
class Mix:
    usage: Usage

    @property
    def parts(self) -> list[Part]:
        """What is unclassified only where there is some."""
        whole = self.usage.total_tokens or 1
        tokens = {key: getattr(self.usage, key) for key in KINDS}
        return [
            Part(key, str(name), look, tokens[key], tokens[key] / whole)
            for key, (name, look) in KINDS.items()
            if tokens[key] or key != "unclassified"
        ]

    @property
    def bars(self) -> list[tuple[str, list[Piece]]]:
        uncached = [part for part in self.parts if part.key != CACHED]
        return [(_("All tokens"), _pieces(self.parts)), (_("Without cached input"), _pieces(uncached))]


def _pieces(parts: list[Part]) -> list[Piece]:
    whole, pieces, x = sum(part.tokens for part in parts), [], 0.0
    for part in parts:
        if part.tokens:
            width = 100 * part.tokens / whole
            pieces.append(Piece(part.look.fill, round(x, 2), round(width, 2)))
            x += width
    return pieces
