"""Which models of a list may be one of ours. Pure: what differs in price is left to a person."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from usage.accounting.resolver import COMPATIBLE_PREFIX
from usage.price_lists.listed import Listed

_GOOGLE = ("google", "gemini", "vertex_ai-language-models")
# How CPA's providers are called as the vendors of models.dev and LiteLLM.
_VENDORS = {
    "claude": ("anthropic",),
    "codex": ("openai",),
    "openai": ("openai",),
    "xai": ("xai",),
    "kimi": ("moonshotai", "moonshot"),
    "deepseek": ("deepseek",),
    "openrouter": ("openrouter",),
    "qwen": ("alibaba", "dashscope"),
    **dict.fromkeys(("gemini", "gemini-cli", "gemini-interactions", "vertex", "aistudio", "antigravity"), _GOOGLE),
}
_RESELLERS = {"openrouter"}
# Where CPA's provider sells models of several makers, or is unknown, the maker's own price is the list price.
_MAKERS = {vendor for vendors in _VENDORS.values() for vendor in vendors} - _RESELLERS | {
    "zai", "zhipu", "zhipuai", "minimax", "mistral", "xiaomi", "volcengine",
}  # fmt: skip
_EFFORT = re.compile(r"\([^)]*\)$")


class Candidates(NamedTuple):
    """Unless `is_sure`, a person chooses, also where there is but one."""

    models: list[Listed]
    is_sure: bool


class Index:
    """The models of a list by their names, without regard to case, with and without what stands before a slash."""

    def __init__(self, models: Iterable[Listed]) -> None:
        self._by_name: dict[str, list[Listed]] = {}
        for one in models:
            for name in {one.model.lower(), _bare(one.model)}:
                self._by_name.setdefault(name, []).append(one)

    def candidates(self, model: str, providers: Collection[str]) -> Candidates:
        """Return those that `model`, as CPA's `providers` call it, may be: several only where their prices differ.

        The provider's own list counts before the vendor that the name begins with, and that before the makers of models.
        What only others sell may cost anything. Flat-fee plans list nothing, where we count what it is worth.
        """
        name = _EFFORT.sub("", model).lower()
        same = self._by_name.get(name) or self._by_name.get(_bare(name), [])
        same = [one for one in same if not _is_free(one)] or same
        for vendors in (_vendors_of(providers), {name.partition("/")[0]}, _MAKERS):
            if found := list(_differing(one for one in same if one.vendor in vendors)):
                return Candidates(found, is_sure=len(found) == 1)
        return Candidates(list(_differing(same)), is_sure=False)

    def names(self) -> set[str]:
        """Return what the makers call their models, patterns left out."""
        every = (one for models in self._by_name.values() for one in models if one.vendor in _MAKERS)
        return {one.model for one in every if "*" not in one.model}


def _bare(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _is_free(model: Listed) -> bool:
    return not any(price.per_request or any(price.rates) for price in model.prices)


def _vendors_of(providers: Collection[str]) -> set[str]:
    """A provider that has been configured may be called as the list calls it, such as groq."""
    names = (one.removeprefix(COMPATIBLE_PREFIX) for one in providers)
    return {vendor for name in names for vendor in _VENDORS.get(name, (name,))}


def _differing(models: Iterable[Listed]) -> Iterator[Listed]:
    seen = set()
    for one in models:
        prices = frozenset(
            (price.service_tier, price.hours, price.above_input_tokens, price.rates, price.per_request)
            for price in one.prices
        )
        if prices not in seen:
            seen.add(prices)
            yield one
