"""What the address of the Prices page asks for: it is the page's whole state, and what it says wrongly is ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SHOWN: dict[str, Promise] = {
    "all": _("All"),
    "manual": _("Manual"),
    "synced": _("Synced"),
    "unpriced": _("Unpriced"),
    "unused": _("Unused"),
}
_WORDS = ("model", "provider", "tier", "q", "channel", "account", "at")
_LONGEST, _MOST_DIGITS = 300, 18


@dataclass(frozen=True, slots=True)
class Question:
    """Of the test box: the request whose price is asked for."""

    model: str = ""
    provider: str = ""
    tier: str = ""
    input_tokens: int = 0
    channel: str = ""  # slug
    account: str = ""  # number
    at: str = ""

    @property
    def moment(self) -> datetime | None:
        """A time of the report time zone unless it says another; None: now, or no time."""
        try:
            moment = parse_datetime(self.at)
        except ValueError:
            return None
        return timezone.make_aware(moment) if moment and timezone.is_naive(moment) else moment


@dataclass(frozen=True, slots=True)
class PricesQuery:
    q: str = ""
    show: str = "all"
    page: int = 1
    question: Question = Question()

    @property
    def address(self) -> str:
        """This very state, without defaults, in alphabetical order."""
        asked = self.question
        parameters = {
            "account": asked.account, "at": asked.at, "channel": asked.channel,
            "input_tokens": asked.input_tokens or "", "model": asked.model, "page": "" if self.page == 1 else self.page,
            "provider": asked.provider, "q": self.q, "show": "" if self.show == "all" else self.show, "tier": asked.tier,
        }  # fmt: skip
        return "?" + urlencode({name: value for name, value in parameters.items() if value})

    def showing(self, show: str) -> PricesQuery:
        return replace(self, show=show, page=1)

    def turned_to(self, page: int) -> PricesQuery:
        return replace(self, page=page)


def read_prices_query(query: Mapping[str, str]) -> PricesQuery:
    model, provider, tier, q, channel, account, at = (query.get(name, "").strip()[:_LONGEST] for name in _WORDS)
    show = query.get("show", "")
    question = Question(model, provider, tier, _number(query.get("input_tokens", "")), channel, account, at)
    return PricesQuery(q, show if show in SHOWN else "all", max(_number(query.get("page", "")), 1), question)


def _number(text: str) -> int:
    """People group digits; what is no number asks for nothing."""
    digits = text.strip().replace(",", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else 0
