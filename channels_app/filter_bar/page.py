"""What all pages below a filter bar have in common."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_app.address import Address
from channels_app.filter_bar.scope import Scope
from usage.models import UsageRecord


class Query(Protocol):
    """What an address asks a page for: `address` says the same again, `warnings` are all that it says wrongly."""

    @property
    def scope(self) -> Scope: ...
    @property
    def address(self) -> Address: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


class File(NamedTuple):
    """What can be taken away of a page; `key` tells it from the others."""

    key: str
    label: Promise
    address: Address


class DataPage:
    query: Query

    @property
    def scope(self) -> Scope:
        return self.query.scope

    @property
    def address(self) -> Address:
        return self.query.address

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.query.warnings

    @cached_property
    def has_records(self) -> bool:
        """Whether there is anything to ask about."""
        return UsageRecord.objects.exists()

    @property
    def is_live(self) -> bool:
        """Whether its figures still grow."""
        return self.scope.period.is_running

    @property
    def has_table(self) -> bool:
        """Whether its table comes as a file."""
        return True

    @property
    def has_figures(self) -> bool:
        """Whether its key figures come as a file."""
        return False

    @property
    def files(self) -> list[File]:
        """The table, the values of the chart, and the key figures."""
        csv, json = (self.address.setting("format", one) for one in ("csv", "json"))
        tables = [File("csv", _("This table as CSV"), csv), File("json", _("This table as JSON"), json)]
        charts = [
            File("chart-csv", _("Chart data as CSV"), csv.setting("section", "chart")),
            File("chart-json", _("Chart data as JSON"), json.setting("section", "chart")),
        ]
        figures = [
            File("figures-csv", _("Key figures as CSV"), csv.setting("section", "figures")),
            File("figures-json", _("Key figures as JSON"), json.setting("section", "figures")),
        ]
        return [*(tables if self.has_table else []), *charts, *(figures if self.has_figures else [])]
