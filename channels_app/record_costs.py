"""Records with the cost that they would have if they came now, beside those that are booked (`ui.md` 6, "Cost basis")."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy

from channels_app.stats import Basis
from channels_app.stats.database import database
from usage.accounting.price_book import PriceBook
from usage.ingest.prices import charge_anew, load_prices
from usage.models import UsageRecord


def prices_of(basis: Basis) -> PriceBook | None:
    """Return the prices by which costs are told; None: as they were booked."""
    return load_prices(database().alias) if basis is Basis.CURRENT else None


def told_by(prices: PriceBook | None, rows: Iterable[UsageRecord]) -> list[UsageRecord]:
    """Return copies of `rows` (as of `records.with_names`) with what they would cost by `prices`; without, `rows` themselves.

    The copies are to be shown, and not to be saved.
    """
    return list(rows) if prices is None else [_told_by(prices, row) for row in rows]


def _told_by(prices: PriceBook, row: UsageRecord) -> UsageRecord:
    told = copy(row)
    told.cost_nanousd, told.saved_nanousd, told.price_id = charge_anew(row, prices)
    return told
