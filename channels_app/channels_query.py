"""What the address of the Channels page asks for, and the addresses of its neighbouring states.

The address is the page's whole state; what it says wrongly is dropped with a warning, never an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict
from django.utils.translation import gettext as _

from channels_app.address import Address
from channels_app.filter_bar.scope import Scope, read_scope
from channels_app.stats import DEFAULT_SORT, SORT_KEYS


@dataclass(frozen=True, slots=True)
class ChannelsQuery:
    scope: Scope
    sort: str
    open: frozenset[str]
    warnings: tuple[str, ...] = ()

    @property
    def sorted_by(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")

    @property
    def address(self) -> Address:
        """This very state."""
        address = self.scope.address.setting("sort", "" if self.sort == DEFAULT_SORT else self.sort)
        return address.setting("open", ",".join(sorted(self.open)))

    def sorting(self, column: str) -> ChannelsQuery:
        """The state after a click on a column's header: numbers start with the largest, names with A."""
        first, second = (column, f"-{column}") if column == "name" else (f"-{column}", column)
        return replace(self, sort=second if self.sort == first else first)

    def toggling(self, key: str) -> ChannelsQuery:
        return replace(self, open=self.open ^ {key})

    def opening(self, keys: Iterable[str]) -> ChannelsQuery:
        return replace(self, open=frozenset(keys))


def read_channels_query(query: QueryDict, now: datetime) -> ChannelsQuery:
    scope, warnings = read_scope(query, now), []
    sort = query.get("sort") or DEFAULT_SORT
    if sort.removeprefix("-") not in (*SORT_KEYS, "name"):
        warnings.append(_("There is no column “%(name)s” to sort by. Sorted by tokens.") % {"name": sort})
        sort = DEFAULT_SORT
    opened = frozenset(key for key in query.get("open", "").split(",") if key)
    return ChannelsQuery(scope, sort, opened, (*scope.warnings, *warnings))
