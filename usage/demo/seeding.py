"""Books the demo into an empty database, by the way that records of a real server go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice

from usage.accounting.payload import read_record
from usage.demo import cast
from usage.demo.collection import lead, make_sample_collection
from usage.demo.traffic import Traffic
from usage.ingest import attempts, distribution
from usage.ingest.accounts import apply_listing
from usage.ingest.compaction import compact
from usage.ingest.ledger import BATCH, Ledger
from usage.models import ApiKey, Instance, ModelPrice
from usage.models.fields import to_micros
from usage.secrets import digest

NAME = "Demo CPA"


def seed(
    seed: int, days: int, records: int, now: datetime, progress: Callable[[int], object] = lambda count: None
) -> Instance:
    """Make the demo's server with about `records` records of the `days` before `now`, and return it.

    `progress` is told how many were booked after each batch.
    """
    instance = Instance(name=NAME, base_url="http://127.0.0.1:8317")
    instance.management_key = "mgmt-FAKE-key-of-the-demo"
    instance.save()
    channels = cast.channels(now)
    listed = [account for channel in channels for account in channel.accounts]
    apply_listing(instance, listed)
    apply_listing(instance, [account for account in listed if account != cast.removed()])
    ModelPrice.objects.bulk_create(cast.prices(now))
    _book(instance, Traffic(channels, seed, now).records(records, days), to_micros(now), progress)
    _name_keys()
    make_sample_collection(instance, now)
    lead(now)
    distribution.fold(1)  # this and the next as the housekeeping does
    compact(to_micros(now))
    attempts.derive()
    return instance


def _book(instance: Instance, records: Iterator[bytes], received_at: int, progress: Callable[[int], object]) -> None:
    ledger = Ledger(instance)
    while batch := [read_record(raw, received_at) for raw in islice(records, BATCH)]:
        ledger.book(batch, ())
        progress(len(batch))


def _name_keys() -> None:
    """All but the last of the client keys have a name."""
    for key, alias in zip(cast.CLIENT_KEYS, cast.ALIASES, strict=False):
        ApiKey.objects.filter(key_digest=digest(key)).update(alias=alias)
