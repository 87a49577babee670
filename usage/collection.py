"""One turn of collection: ask a server, keep the raw bytes, book them, heal names and prices.

The way in, in the order that loses nothing: probe, names, then records; each answer is durable in the spool before it
is read, and leaves it when it is booked.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop as _

from usage.accounting.payload import Payload
from usage.ingest.accounts import apply_listing
from usage.ingest.captures import Item, read_capture
from usage.ingest.ledger import BATCH, Counts, Ledger, Rejected
from usage.ingest.legacy import BrokenSnapshot
from usage.ingest.prices import price_unpriced
from usage.ingest.sources import heal
from usage.ingest.spool import Capture, Spool
from usage.models import Instance
from usage.secrets import UnreadableSecret, digest
from usage.upstream.client import ManagementClient, require_json
from usage.upstream.refusals import UpstreamError
from usage.upstream.names import fetch_names
from usage.upstream.probe import Findings, probe

logger = logging.getLogger(__name__)

# A lost answer loses what it popped (contract K): not too many at once.
POP_COUNT = 500

# An unknown source may have been added to the server since; it is asked for names again, but not at each record.
_NAMES_AGAIN = timedelta(seconds=30)

_STATISTICS_OFF = _(
    "usage statistics are off in CPA, so nothing is recorded; "
    "set usage-statistics-enabled: true in its config.yaml, or switch it on in its management page"
)

Source, State = Instance.Source, Instance.State
Progress = Callable[[int], None]


@dataclass(slots=True)
class Outcome:
    """What one turn did with one server; `error` is empty when it went well."""

    instance: str
    counts: Counts = field(default_factory=Counts)
    named: int = 0
    priced: int = 0
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            **asdict(self.counts),
            "named": self.named,
            "priced": self.priced,
            "error": self.error,
        }


def sync_all(progress: Progress = lambda records: None) -> list[Outcome]:
    """Give each enabled server its turn; one that fails does not stop the rest."""
    return [sync_instance(instance, progress) for instance in Instance.objects.filter(enabled=True)]


def sync_instance(
    instance: Instance, progress: Progress = lambda records: None, *, names_may_be: timedelta = timedelta(0)
) -> Outcome:
    """Take what `instance` has and book it; `progress` is told of each batch, in records.

    A server that was well last time, and whose names are not older than `names_may_be`, is asked for its records only:
    each request with the management key costs it tens of milliseconds (contract A).
    """
    turn = _Turn(instance, progress)
    turn.run(names_may_be)
    return turn.outcome


def check(instance: Instance) -> Findings | None:
    """Probe `instance` and note what it is; None when it cannot be asked, which its state then says."""
    try:
        _refuse_to_repeat(instance)
        with ManagementClient(instance) as client:
            return _probe(instance, client)
    except (UpstreamError, UnreadableSecret) as error:
        _note_failure(instance, error)
        return None


def refresh_names(instance: Instance) -> str:
    """Fetch the accounts and keys that `instance` lists; return the error in words, empty when it went well."""
    try:
        _refuse_to_repeat(instance)
        with ManagementClient(instance) as client:
            _refresh_names(instance, client)
    except (UpstreamError, UnreadableSecret) as error:
        _note_failure(instance, error)
        return str(error)
    return ""


class _Turn:
    def __init__(self, instance: Instance, progress: Progress) -> None:
        self.outcome = Outcome(instance.name)
        self._instance = instance
        self._progress = progress
        self._spool = Spool(instance.pk)
        self._ledger = Ledger(instance)

    def run(self, names_may_be: timedelta) -> None:
        try:
            self._book_waiting()  # what an earlier process took and could not book
            _refuse_to_repeat(self._instance)
            with ManagementClient(self._instance) as client:
                names_are_due = self._names_age() >= names_may_be
                if names_are_due or self._instance.state != State.OK:
                    _probe(self._instance, client)
                if names_are_due:
                    self._refresh_names(client)
                    self.outcome.priced = price_unpriced()
                self._take(client)
                if self._ledger.met_unknown and self._names_age() > _NAMES_AGAIN:
                    self._refresh_names(client)
        except (UpstreamError, UnreadableSecret) as error:
            self._note(error)
            self._book_waiting()  # what had arrived of an answer that broke off
        self.outcome.named = heal(self._instance)[1]

    def _refresh_names(self, client: ManagementClient) -> None:
        """Names can wait where records cannot: a queue is drained with the names known so far.

        A snapshot stays, and its details need the names: they tell no provider, and so not whose token rules they follow.
        """
        try:
            _refresh_names(self._instance, client)
            self._ledger = Ledger(self._instance)
        except UpstreamError as error:
            if self._instance.source != Source.QUEUE or error.state not in (State.FAULTY, State.UNREACHABLE):
                raise
            self._note(error)

    def _note(self, error: UpstreamError | UnreadableSecret) -> None:
        _note_failure(self._instance, error)
        self.outcome.error = self.outcome.error or str(error)

    def _names_age(self) -> timedelta:
        return timezone.now() - self._instance.names_at if self._instance.names_at else timedelta.max

    def _take(self, client: ManagementClient) -> None:
        if self._instance.source == Source.QUEUE:
            while self._fetch(f"/usage-queue?count={POP_COUNT}", "queue", client) >= POP_COUNT:
                pass
        elif self._instance.source == Source.LEGACY:
            self._fetch("/usage", "legacy", client)
        else:
            raise UpstreamError(
                State.UNSUPPORTED, _("this CPA gives its records by RESP only; upgrade it to 6.10.8 or later")
            )
        Instance.objects.filter(pk=self._instance.pk).update(synced_at=timezone.now())

    def _fetch(self, path: str, kind: str, client: ManagementClient) -> int:
        """Take one answer and book it; return how many records it held.

        The capture is there before the server is asked: a disk that refuses us leaves the records where they are.
        """
        with self._spool.receive(kind) as receiver:
            with client.stream(path) as response:
                require_json(response)
                receiver.write(response.iter_bytes())
            receiver.make_durable()
            return self._book(receiver.capture)

    def _book_waiting(self) -> None:
        for capture in self._spool.waiting():
            self._book(capture)

    def _book(self, capture: Capture) -> int:
        read = 0
        for batch in _batched(self._items(capture), BATCH):
            payloads = [item for item in batch if isinstance(item, Payload)]
            rejected = [item for item in batch if isinstance(item, Rejected)]
            self.outcome.counts.add(self._ledger.book(payloads, rejected))
            self._progress(len(batch))
            read += len(batch)
        capture.discard()
        return read

    def _items(self, capture: Capture) -> Iterator[Item]:
        try:
            yield from read_capture(capture)
        except BrokenSnapshot as error:
            # Nothing is lost: the next snapshot has it all again.
            self.outcome.error = self.outcome.error or str(error)


def _batched(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while batch := list(itertools.islice(items, size)):
        yield batch


def _probe(instance: Instance, client: ManagementClient) -> Findings:
    """Probe and note the findings. Raises UpstreamError."""
    findings = probe(client)
    instance.enter(
        State.OK if findings.statistics_enabled else State.STATISTICS_OFF,
        reason="" if findings.statistics_enabled else _STATISTICS_OFF,
        version=findings.version,
        source=findings.source,
        statistics_enabled=findings.statistics_enabled,
        rejected_key=None,
    )
    return findings


def _refresh_names(instance: Instance, client: ManagementClient) -> None:
    apply_listing(instance, fetch_names(client))
    instance.names_at = timezone.now()
    Instance.objects.filter(pk=instance.pk).update(names_at=instance.names_at)


def _refuse_to_repeat(instance: Instance) -> None:
    """Raise UpstreamError where asking again now is useless or does harm (contract A and K)."""
    if instance.rejected_key and bytes(instance.rejected_key) == digest(instance.management_key):
        raise UpstreamError(State.KEY_REJECTED, instance.reason, instance.reason_params)
    if instance.retry_at and instance.retry_at > timezone.now():
        state = State(instance.state)
        raise UpstreamError(state, instance.reason, instance.reason_params, retry_at=instance.retry_at)


def _note_failure(instance: Instance, error: UpstreamError | UnreadableSecret) -> None:
    if isinstance(error, UnreadableSecret):
        error = UpstreamError(State.FAULTY, str(error))
    if (error.state, error.reason) != (instance.state, instance.reason):
        logger.warning("%s: %s", instance.name, error)
    facts = {"rejected_key": digest(instance.management_key)} if error.state is State.KEY_REJECTED else {}
    instance.enter(error.state, reason=error.reason, reason_params=error.params, retry_at=error.retry_at, **facts)
