"""Every row, to browse; what people decide (servers, names, prices), to edit."""

from usage.admin import collection, identity, ledger, prices, servers

__all__ = ["collection", "identity", "ledger", "prices", "servers"]
