"""The block of one server: its state and the facts of its collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from usage.collector_page.volume import Volume
from usage.freshness import Freshness, interval
from usage.models import CollectionState, Instance
from usage.warnings import Warning
from usage.warnings.warning import host_of


@dataclass(frozen=True, slots=True)
class ServerBlock:
    instance: Instance
    fresh: Freshness
    volume: Volume
    completeness: float | None
    warnings: list[Warning]
    is_stopped: bool
    now: datetime

    @property
    def host(self) -> str:
        return host_of(self.instance)

    @property
    def cause(self) -> str:
        """Why it is not collecting, in a few words; empty where it is, or is only late."""
        state = self.instance.state
        if state not in (Instance.State.OK, Instance.State.NEW):
            return str(self.instance.get_state_display())
        return _("No collector runs") if self.is_stopped else ""

    @property
    def lag(self) -> timedelta | None:
        """Since the end of the last successful poll (metric M29)."""
        return self.now - self.instance.synced_at if self.instance.synced_at else None

    @property
    def interval(self) -> timedelta:
        return interval(self.instance)

    @property
    def is_subscribed(self) -> bool:
        return self.instance.way == Instance.Way.SUBSCRIPTION

    @property
    def retention(self) -> timedelta | None:
        seconds = self.instance.retention_seconds
        return None if seconds is None else timedelta(seconds=seconds)

    @property
    def last_record(self) -> datetime | None:
        moment: datetime | None = self._booked.last_requested_at
        return moment

    @property
    def booked(self) -> int:
        return self._booked.booked

    @property
    def duplicates(self) -> int:
        return self._booked.duplicates

    @property
    def _booked(self) -> CollectionState:
        return getattr(self.instance, "collection", CollectionState())

    @property
    def modes(self) -> dict[str, str]:
        return {mode.value: str(mode.label) for mode in Instance.Mode}

    @property
    def mode_help(self) -> str:
        return str(Instance._meta.get_field("mode").help_text)

    @property
    def can_be_asked(self) -> bool:
        """Whether asking it now makes sense: a refused key is not sent again."""
        return self.instance.enabled and self.instance.state != Instance.State.KEY_REJECTED
