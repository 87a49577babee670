"""What the parts of a taker share: one server, its spool, and to whom they speak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from usage.collection.board import Board
from usage.collection.witness import Witness
from usage.ingest.spool import Spool
from usage.models import Instance
from usage.upstream.probe import DEFAULT_RETENTION_SECONDS


@dataclass(frozen=True, slots=True)
class Site:
    """`on_news` is called when something new lies in the spool. The instance is a copy in memory, kept up by `say`."""

    instance: Instance
    spool: Spool
    board: Board
    witness: Witness
    on_news: Callable[[], None]

    def say(self, **facts: Any) -> None:
        self.board.say(self.instance, **facts)

    @property
    def kept_seconds(self) -> float:
        """How long the server keeps a record (contract C)."""
        return self.instance.retention_seconds or DEFAULT_RETENTION_SECONDS
