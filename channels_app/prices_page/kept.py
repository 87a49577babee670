"""What was previewed, kept until it is applied: that very thing is written, whatever a file or address says by then.

It lies in the table of sessions, where every process finds it and the housekeeping deletes what has expired, but is none:
it has a seal of its own, is not read with each request, and is only its maker's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction

from usage.ingest.prices import version_of_prices

_KEPT_FOR = timedelta(hours=1)


class StalePreview(Exception):
    """Prices have changed since: what was shown is not what would come of it any more."""


class Kept(SessionStore):
    """`kind` is what it is a preview of, `content` its JSON; `outcome` is the JSON of what came of it, empty before."""

    @classmethod
    def make(cls, kind: str, owner: object, content: str) -> Kept:
        kept = cls()
        kept.update({"kind": kind, "owner": owner, "content": content, "outcome": "", "prices": _prices()})
        kept.set_expiry(int(_KEPT_FOR.total_seconds()))
        kept.create()
        return kept

    @classmethod
    def find(cls, kind: str, owner: object, key: str) -> Kept | None:
        kept = cls(key)
        return kept if (kept.get("kind"), kept.get("owner")) == (kind, owner) else None

    @property
    def key(self) -> str:
        return str(self.session_key)

    @property
    def content(self) -> str:
        return cast(str, self["content"])

    @property
    def outcome(self) -> str:
        return cast(str, self["outcome"])

    @property
    def is_stale(self) -> bool:
        return not self.outcome and self["prices"] != _prices()

    def apply(self, write: Callable[[], str]) -> None:
        """Write it, which tells the outcome, if nobody has; of those who want it at once, one does. Raises StalePreview."""
        try:
            with transaction.atomic():
                Session.objects.select_for_update().get(pk=self.key)
                now = type(self)(self.key)
                if now.is_stale:
                    raise StalePreview
                if not now.outcome:
                    now["outcome"] = write()
                    now.save()
        except IntegrityError:
            raise StalePreview from None


def _prices() -> Any:
    return [str(part) for part in version_of_prices()]
