"""Rows of a table of usage: what they are of, what they are called, and where they lead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.urls import get_script_prefix, reverse
from django.utils.translation import gettext as _

from channels_app.address import Address
from channels_app.charts import look
from channels_app.charts.look import Look
from channels_app.charts.sparkline import Sparkline
from channels_app.filter_bar.scope import GLOBAL_PARAMETERS
from channels_app.stats import ModelRow, Timing, Usage, name_groups
from channels_app.stats.names import Name
from channels_app.stats.questions import Group
from channels_app.stats.seen import Seen
from usage.models import Account, Channel


@dataclass
class Row:
    """`whole` is what its share is of. `value` is what the filter `dimension` takes, `page` the address of its own page.

    `models` are those of which its cost is the sum, where a badge is to tell how far that can be trusted; `details` are
    what only some pages know of it.
    """

    key: str
    name: str
    usage: Usage
    whole: Usage
    dimension: str = ""
    value: str = ""
    page: str = ""
    look: Look | None = None
    # The ids that it is of.
    group: Group = ()
    is_last: bool = False
    account: Account | None = None
    previous: Usage | None = None
    timing: Timing | None = None
    spark: Sparkline | None = None
    seen: Seen | None = None
    models: Sequence[ModelRow] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    children: list[Row] = field(default_factory=list)
    # Where the page is with it opened or shut; empty where it does not open.
    toggle: str = ""
    is_open: bool = False
    css: str = "entity"

    @property
    def is_part(self) -> bool:
        """Whether it stands below one that it is a part of."""
        return self.css in ("part", "account", "model")


def rows_of(by: str, groups: Mapping[Group, Usage], whole: Usage, address: Address, prefix: str = "") -> list[Row]:
    """Return a row for each value of a dimension, the largest first. `address` is the scope that its page keeps.

    `prefix` is the key of the row that they are parts of, where they are.
    """
    ordered = sorted(groups, key=lambda group: (-groups[group].total_tokens, -groups[group].requests))
    names = {group: name[by] for group, name in name_groups([by], ordered).items()}
    looks = _looks(by, ordered, names)
    accounts = Account.objects.in_bulk([group[0] for group in ordered if group[0]]) if by == "account" else {}
    rows = []
    for group in ordered:
        name, pk = names[group], group[0]
        value = "" if name["id"] is None else str(name["id"])
        page = page_of(by, value if by == "channel" else str(pk), address) if value and by in _PAGES else ""
        key = f"{prefix}{by}-{value if by == 'channel' else pk}"
        rows.append(Row(key, name["name"], groups[group], whole, by, value, page, looks[group], group, pk is None))
        rows[-1].account = accounts.get(pk or 0)
        rows[-1].css = "part" if prefix else "entity"
    return rows


_PAGES = ("channel", "account", "model", "key")
# What the page of one of these is of, and so need not be filtered too.
_IMPLIED = {"account": ("server", "channel", "account")}


def page_of(by: str, value: object, address: Address) -> str:
    """Return the address of the page of one channel (by its slug), account, model or key (by their ids)."""
    return f"{_path_of(by, str(value), get_script_prefix())}{_kept(by, address)}"


# A table has hundreds of addresses, of pages that stay what they are.


@lru_cache(maxsize=4096)
def _path_of(by: str, value: str, prefix: str) -> str:
    """`prefix` is where the site is, which `reverse` begins with."""
    return reverse(f"channels_app:{by}", args=[value])


@lru_cache(maxsize=64)
def _kept(by: str, address: Address) -> str:
    kept = address.only(GLOBAL_PARAMETERS).without(*implied(by))
    return str(kept) if kept.parameters else ""


def implied(by: str) -> Sequence[str]:
    """Return which filters the page of one of these makes needless."""
    return _IMPLIED.get(by, (by,))


def _looks(by: str, ordered: Sequence[Group], names: Mapping[Group, Name]) -> dict[Group, Look | None]:
    """Channels have looks of their own, others those that charts give their names; of statuses colour would say nothing."""
    if by == "code":
        return dict.fromkeys(ordered)
    if by == "channel":
        return {**looks_of_channels(group[0] for group in ordered)}
    looks = look.of_names([str(names[group]["id"]) for group in ordered])
    found = dict(zip(ordered, looks, strict=True))
    return {group: look.UNKNOWN if group[0] is None else found[group] for group in ordered}


def looks_of_channels(ids: Iterable[int | None]) -> dict[Group, Look]:
    channels = Channel.objects.in_bulk()
    return {
        (pk,): look.of_slot(channels[pk].color_slot, channels[pk].shape) if pk in channels else look.UNKNOWN
        for pk in ids
    }


def models_of(rows: Iterable[Row]) -> list[ModelRow]:
    """Return the rows that are models, for a badge to tell which of them have no price."""
    return [ModelRow(row.name, row.usage) for row in rows if row.dimension == "model"]


def total_of(usage: Usage, models: Sequence[ModelRow], timing: Timing | None) -> Row:
    """Return the row below all others."""
    return Row("_total", _("Total"), usage, usage, look=look.OTHER, timing=timing, models=models)


def others_of(rows: Sequence[Row], whole: Usage, more: str) -> Row:
    """Return the sum of rows that are too many to be shown; `more` is where they are, or empty."""
    usage = Usage()
    for row in rows:
        usage.add(row.usage)
    return Row(
        "_other",
        _("Other (%(n)s)") % {"n": len(rows)},
        usage,
        whole,
        look=look.OTHER,
        is_last=True,
        details={"more": more},
    )
