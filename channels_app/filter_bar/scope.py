"""What every data page is asked for: a period, what it is compared with, a time zone, filters, and by which prices costs
are told (`ui.md` 4.1, and 6, "Cost basis").

What the address says wrongly is dropped with a warning, never an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from channels_app import filters, viewer
from channels_app.address import Address
from channels_app.comparison import COMPARISONS, PREVIOUS, compared_with
from channels_app.filters import Filters, read_filters
from channels_app.period import DEFAULT_RANGE, RANGES, Period, PeriodError, read_period
from channels_app.stats import Basis, Conditions, Span, span_of
from channels_app.wrong import Wrong
from config.report_zone import report_zone

PERIOD_PARAMETERS = ("range", "days", "from", "to")
# What navigation keeps.
GLOBAL_PARAMETERS = (*PERIOD_PARAMETERS, "cmp", "tz", "basis", *filters.PARAMETERS)


@dataclass(frozen=True, slots=True)
class Scope:
    """`address` says the same again: relative ranges stay relative, and defaults are left out. `wrong` is what was asked for
    and cannot be read of the period.
    """

    period: Period
    comparison: str
    filters: Filters
    address: Address
    basis: Basis = Basis.RECORDED
    warnings: tuple[str, ...] = ()
    wrong: tuple[Wrong, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether costs are told at the prices of now."""
        return self.basis is Basis.CURRENT

    def other_basis(self, address: Address) -> Address:
        """Return the same address with costs at the prices of now, or back as they were recorded."""
        return address.setting("basis", "" if self.is_current else Basis.CURRENT)

    @property
    def span(self) -> Span:
        return span_of(self.period)

    @property
    def conditions(self) -> Conditions:
        return self.filters.conditions

    def records(self, *, failed: bool = False) -> str:
        """Where its requests are listed, for a period to be added; of all or those that failed."""
        address = self.address.without(*PERIOD_PARAMETERS)
        return f"{reverse('records')}{address.setting('status', 'fail') if failed else address}"

    @property
    def compared(self) -> Period | None:
        """The period that figures are compared with; None where there is none."""
        return compared_with(self.period, self.comparison)


def read_scope(query: QueryDict, now: datetime) -> Scope:
    """Return what the address of a page asks for."""
    warnings: list[str] = []
    zone, comparison, basis = (
        _read_zone(query, warnings),
        _read_comparison(query, warnings),
        _read_basis(query, warnings),
    )
    # A form sends its empty fields too; they ask for nothing.
    asked = {name: value for name in PERIOD_PARAMETERS if (value := _moment(query, name))}
    usual = {"range": default_range()}
    wrong: list[Wrong] = []
    try:
        period = read_period(asked or usual, zone, now)
    except PeriodError as error:
        wrong = [Wrong(name, value, str(error) if name == error.name else "") for name, value in asked.items()]
        period, asked = read_period(usual, zone, now), {}
        warnings.append(_("%(problem)s. Showing: %(range)s") % {"problem": error, "range": RANGES[usual["range"]]})
    found = read_filters(query)
    address = Address((*_without_defaults(asked), *found.parameters))
    address = address.setting("tz", "" if zone == report_zone() else zone.key)
    address = address.setting("cmp", "" if comparison == default_comparison() else comparison)
    address = address.setting("basis", basis if basis is Basis.CURRENT else "")
    return Scope(period, comparison, found, address, basis, (*warnings, *found.warnings), tuple(wrong))


def _moment(query: QueryDict, name: str) -> str:
    """The form asks for a day, and for the time in a field of its own, which may stay empty."""
    value, time = query.get(name, ""), query.get(f"{name}_time", "")
    return f"{value}T{time}" if value and time else value


def _without_defaults(asked: dict[str, str]) -> Sequence[tuple[str, str]]:
    """Without what from/to, then days, say in its place, and without the default range."""
    for names in (("from", "to"), ("days",)):
        if given := [(name, asked[name]) for name in names if name in asked]:
            return given
    return [(name, value) for name, value in asked.items() if value != default_range()]


def default_range() -> str:
    """Return the range that an address without one means: what the viewer prefers, else the usual one."""
    preferred = viewer.preferences().default_range
    return preferred if preferred in RANGES else DEFAULT_RANGE


def default_comparison() -> str:
    preferred = viewer.preferences().comparison
    return preferred if preferred in COMPARISONS else PREVIOUS


def _read_zone(query: QueryDict, warnings: list[str]) -> ZoneInfo:
    name = query.get("tz", "")
    if not name:
        return report_zone()
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # unknown; not a name at all; a folder of names
        warnings.append(
            _("%(value)s is no time zone such as Asia/Shanghai. Showing: %(zone)s")
            % {"value": name, "zone": report_zone().key}
        )
        return report_zone()


def _read_comparison(query: QueryDict, warnings: list[str]) -> str:
    name = query.get("cmp") or default_comparison()
    if name not in COMPARISONS:
        warnings.append(
            _("%(name)s=%(value)s is none of %(known)s")
            % {"name": "cmp", "value": name, "known": ", ".join(COMPARISONS)}
        )
        return default_comparison()
    return name


def _read_basis(query: QueryDict, warnings: list[str]) -> Basis:
    value = query.get("basis") or Basis.RECORDED
    if value not in tuple(Basis):
        warnings.append(_("%(name)s=%(value)s was not found, and is ignored") % {"name": "basis", "value": value})
        return Basis.RECORDED
    return Basis(value)
