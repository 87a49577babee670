"""What the address of the Channels page asks for, and the addresses of its neighbouring states.

The address is the page's whole state; what it says wrongly is dropped with a warning, never an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from channels_app.period import DEFAULT_RANGE, RANGES, Period, PeriodError, read_period
from channels_app.stats import DEFAULT_SORT, SORT_KEYS, Basis

_PERIOD_PARAMETERS = ("range", "days", "from", "to")


@dataclass(frozen=True, slots=True)
class ChannelsQuery:
    period: Period
    sort: str
    open: frozenset[str]
    basis: Basis = Basis.RECORDED
    # As the address said it: relative ranges stay relative in the links.
    period_parameters: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def sorted_by(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def is_current(self) -> bool:
        """Whether costs are told at the prices of now."""
        return self.basis is Basis.CURRENT

    @property
    def other_basis(self) -> ChannelsQuery:
        return replace(self, basis=Basis.RECORDED if self.is_current else Basis.CURRENT)

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")

    @property
    def address(self) -> str:
        """This very state; parameters in alphabetical order and without defaults, so that equal views share it."""
        parameters = dict(self.period_parameters)
        if self.sort != DEFAULT_SORT:
            parameters["sort"] = self.sort
        if self.is_current:
            parameters["basis"] = self.basis
        if self.open:
            parameters["open"] = ",".join(sorted(self.open))
        return "?" + urlencode(sorted(parameters.items()), safe=",:~")

    def sorting(self, column: str) -> ChannelsQuery:
        """The state after a click on a column's header: numbers start with the largest, names with A."""
        first, second = (column, f"-{column}") if column == "name" else (f"-{column}", column)
        return replace(self, sort=second if self.sort == first else first)

    def toggling(self, key: str) -> ChannelsQuery:
        return replace(self, open=self.open ^ {key})

    def opening(self, keys: Iterable[str]) -> ChannelsQuery:
        return replace(self, open=frozenset(keys))

    def ranging(self, name: str) -> ChannelsQuery:
        return replace(self, period_parameters=() if name == DEFAULT_RANGE else (("range", name),))

    @property
    def hidden_fields(self) -> dict[str, str]:
        """What the from/to form has to carry along."""
        fields = {"sort": self.sort, "open": ",".join(sorted(self.open)), "basis": self.basis}
        return {name: value for name, value in fields.items() if value not in ("", DEFAULT_SORT, Basis.RECORDED)}


def read_channels_query(query: Mapping[str, str], zone: ZoneInfo, now: datetime) -> ChannelsQuery:
    # A form sends its empty fields too; they ask for nothing.
    asked = {name: query[name] for name in _PERIOD_PARAMETERS if query.get(name)}
    warnings = []
    try:
        period = read_period(asked, zone, now)
    except PeriodError as error:
        period, asked = read_period({}, zone, now), {}
        warnings.append(_("%(problem)s. Showing: %(range)s") % {"problem": error, "range": RANGES[DEFAULT_RANGE]})
    sort = query.get("sort") or DEFAULT_SORT
    if sort.removeprefix("-") not in (*SORT_KEYS, "name"):
        warnings.append(_("There is no column “%(name)s” to sort by. Sorted by tokens.") % {"name": sort})
        sort = DEFAULT_SORT
    opened = frozenset(key for key in query.get("open", "").split(",") if key)
    basis = query.get("basis") or Basis.RECORDED
    if basis not in tuple(Basis):
        warnings.append(_("%(name)s=%(value)s was not found, and is ignored") % {"name": "basis", "value": basis})
        basis = Basis.RECORDED
    return ChannelsQuery(period, sort, opened, Basis(basis), tuple(asked.items()), tuple(warnings))
