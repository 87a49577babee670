"""The conditions that some groups are, to ask for what several of them are together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from channels_app.stats import Conditions
from channels_app.stats.questions import Group
from usage.models import Source


def narrowed_to(groups: Sequence[Group], dimensions: Sequence[str], conditions: Conditions) -> Conditions:
    """Return `conditions` that only these groups of one of stats.DIMENSIONS fulfil; sources and messages are none here."""
    (dimension,) = dimensions
    ids = frozenset(pk for (pk,) in groups if pk is not None)
    if dimension == "model":
        return replace(conditions, models=ids)
    if dimension == "key":
        return replace(conditions, api_keys=ids)
    if dimension == "code":
        return replace(conditions, failed=True, codes=tuple((code, code) for code in sorted(ids)))
    sources = frozenset(row.pk for row in Source.objects.select_related("account") if _owner(row, dimension) in ids)
    asked = sources if conditions.sources is None else sources & conditions.sources
    return replace(conditions, sources=asked, channels=None)


def _owner(source: Source, dimension: str) -> int | None:
    if dimension == "server":
        return source.instance_id
    return source.known_channel_id if dimension == "channel" else source.account_id
