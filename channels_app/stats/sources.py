"""What a source means now: its server, channel and account, in SQL."""

from __future__ import annotations

from usage.models import Account, Source

# What a source means (Source.known_channel) changes with names that come later. Sums by channel follow them, but not at
# once (usage/ingest/placing.py), and none are kept by account or server.
OF_SOURCES = {
    "instance_id": "sources.instance_id",
    "channel_id": "COALESCE(accounts.channel_id, sources.channel_id)",
    "account_id": "sources.account_id",
}
WITH_SOURCES = (
    f"JOIN {Source._meta.db_table} AS sources ON sources.id = pieces.source_id "
    f"LEFT JOIN {Account._meta.db_table} AS accounts ON accounts.id = sources.account_id"
)
