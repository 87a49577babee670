"""The address of a page, which is its whole state, and those of its neighbouring states."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlencode

Parameters = tuple[tuple[str, str], ...]


@lru_cache(maxsize=4096)
def _written(name: str, value: str) -> str:
    """A page has hundreds of addresses, which differ in one of their parameters."""
    return urlencode([(name, value)], safe=",:~/")


@dataclass(frozen=True, slots=True)
class Address:
    """Parameters without defaults and empty values. Written in alphabetical order, so that equal views share an address."""

    parameters: Parameters = ()

    def __str__(self) -> str:
        return "?" + "&".join(_written(*one) for one in sorted(self.parameters))

    def setting(self, name: str, *values: str) -> Address:
        """The same with these values of a parameter alone; without any, it asks for nothing."""
        kept = [one for one in self.parameters if one[0] != name]
        return Address((*kept, *[(name, value) for value in values if value]))

    def adding(self, name: str, value: str) -> Address:
        return Address((*self.removing(name, value).parameters, (name, value)))

    def removing(self, name: str, value: str) -> Address:
        return Address(tuple(one for one in self.parameters if one != (name, value)))

    def without(self, *names: str) -> Address:
        return Address(tuple(one for one in self.parameters if one[0] not in names))

    def only(self, names: Collection[str]) -> Address:
        return Address(tuple(one for one in self.parameters if one[0] in names))

    def values(self, name: str) -> list[str]:
        return [value for known, value in self.parameters if known == name]

    def joined(self, parameters: Iterable[tuple[str, str]]) -> Address:
        return Address((*self.parameters, *parameters))
