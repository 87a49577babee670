"""What groups are called and look like, which of them are shown, and what the others are together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from channels_app.charts import look
from channels_app.charts.look import Look
from channels_app.charts.mix import KINDS
from channels_app.explore_page.answers import ExploreAnswers
from channels_app.explore_page.outcomes import STATUSES
from channels_app.explore_page.question import Line
from channels_app.filters import OK
from channels_app.stats import name_groups
from channels_app.stats.questions import Group
from channels_app.stats.traits import TRAITS, names_of_traits
from usage.models import Channel

OTHER = "other"


class Shown(NamedTuple):
    """`members` are the groups that it is: of the others together, several. `value` is what a filter takes."""

    key: str
    name: str
    look: Look
    line: Line
    members: list[Group]
    value: str = ""


@dataclass(frozen=True, slots=True)
class Groups:
    """`shown` are the largest, then the others together, then what is unknown: the order of legend, stack and table."""

    shown: list[Shown]
    count: int
    others: int


def groups(answers: ExploreAnswers) -> Groups:
    """Kinds of token and outcomes are few, and have an order of their own."""
    by, weights = answers.query.by, answers.weights
    ordered = sorted(weights, key=lambda group: (-weights[group], [one or 0 for one in group]))
    known = [group for group in ordered if group != (None,) and weights[group]]
    if by in ("type", "status"):
        known.sort()
    limit = len(known) if by in ("type", "status") else int(answers.query.limit)
    largest = known if len(known) <= limit + 1 else known[:limit]
    unknown = [(None,)] if weights.get((None,)) else []
    shown = _named(answers, [*largest, *unknown])
    rest = known[len(largest) :]
    if rest:
        other = Shown(OTHER, _("Other (%(n)s)") % {"n": len(rest)}, look.OTHER, answers.line(rest), rest)
        shown.insert(len(largest), other)
    return Groups(shown, len(known), len(rest))


def _named(answers: ExploreAnswers, found: Sequence[Group]) -> list[Shown]:
    by = answers.query.by
    lines = [answers.line([group]) for group in found]
    if by == "none":
        return [Shown("all", _("All together"), look.of_slot(1, "circle"), line, [()]) for line in lines]
    if by == "type":
        kinds = [(kind, *named) for kind, named in KINDS.items()]
        return [
            Shown(kinds[place or 0][0], str(kinds[place or 0][1]), kinds[place or 0][2], line, [(place,)])
            for (place,), line in zip(found, lines, strict=True)
        ]
    if by == "status":
        return [_of_status(group, line) for group, line in zip(found, lines, strict=True)]
    if by in TRAITS:
        texts = names_of_traits(by, found)
        looks = look.of_names(texts)
        return [
            Shown(text or "none", text or _("Not told"), its_look, line, [group], text if by == "endpoint" else "")
            for text, its_look, group, line in zip(texts, looks, found, lines, strict=True)
        ]
    of_groups = name_groups([by], found)
    names = [of_groups[group][by] for group in found]
    looks = _looks(by, found, [str(name["id"]) for name in names])
    return [
        Shown("unknown" if group == (None,) else str(name["id"]), name["name"], its_look, line, [group], _value(name))
        for group, name, its_look, line in zip(found, names, looks, lines, strict=True)
    ]


def _value(name: dict[str, object]) -> str:
    return "" if name["id"] is None else str(name["id"])


def _of_status(group: Group, line: Line) -> Shown:
    status = STATUSES[group[0] or 0]
    if status == OK:
        return Shown(status, _("Succeeded"), look.of_slot(3, "circle"), line, [group], status)
    return Shown(status, _("Failed"), look.of_slot(2, "diamond"), line, [group], status)


def _looks(by: str, found: Sequence[Group], ids: Sequence[str]) -> list[Look]:
    """Channels have looks of their own; what is unknown has none."""
    if by == "channel":
        channels = Channel.objects.in_bulk([group[0] for group in found if group[0] is not None])
        own = {pk: look.of_slot(row.color_slot, row.shape) for pk, row in channels.items()}
        return [own.get(group[0] or 0, look.UNKNOWN) for group in found]
    looks = iter(look.of_names([one for one, group in zip(ids, found, strict=True) if group != (None,)]))
    return [look.UNKNOWN if group == (None,) else next(looks) for group in found]
