"""What all pages below a filter bar have in common."""

from __future__ import annotations

from typing import Protocol

from channels_app.address import Address
from channels_app.filter_bar.scope import Scope


class Query(Protocol):
    """What an address asks a page for: `address` says the same again, `warnings` are all that it says wrongly."""

    @property
    def scope(self) -> Scope: ...
    @property
    def address(self) -> Address: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


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

    @property
    def csv(self) -> Address:
        """This page's table as a file."""
        return self.address.setting("format", "csv")

    @property
    def json(self) -> Address:
        return self.address.setting("format", "json")
