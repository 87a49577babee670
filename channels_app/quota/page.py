"""What the Quota page shows: who has windows, who has least left first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.core.paginator import Page, Paginator

from channels_app.quota.meanings import POOLS, WINDOWS
from channels_app.quota.pools import Pool, pools
from channels_app.quota.windows import Holder, quota_holders
from usage.models import Instance

_HOLDERS = 100


@dataclass(frozen=True)
class QuotaPage:
    """`number` is which page of holders is asked for; what there is none of is the nearest."""

    number: str
    now: datetime
    about_windows = WINDOWS
    about_pools = POOLS

    @cached_property
    def _holders(self) -> list[Holder]:
        return quota_holders(self.now)

    @cached_property
    def holders(self) -> Page[Holder]:
        return Paginator(self._holders, _HOLDERS).get_page(self.number)

    @cached_property
    def pools(self) -> list[Pool]:
        """The accounts of a channel together."""
        return pools(self._holders, self.now)

    @property
    def many_servers(self) -> bool:
        return len({holder.source.instance_id for holder in self._holders}) > 1

    @property
    def exhausted(self) -> int:
        """How many have a window of which nothing is left."""
        return sum(any(window.is_exhausted for window in holder.windows) for holder in self._holders)

    @property
    def running_out(self) -> int:
        """How many of the others have one that will be exhausted before its reset at this pace."""
        return sum(
            any(window.exhausted_at for window in holder.windows)
            and not any(window.is_exhausted for window in holder.windows)
            for holder in self._holders
        )

    @property
    def empty(self) -> str:
        """Why there is nothing to show: `no_server` or `no_windows`; empty where there is."""
        if self._holders:
            return ""
        return "no_windows" if Instance.objects.exists() else "no_server"
