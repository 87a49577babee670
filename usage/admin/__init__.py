"""Every row, to browse; what people decide (servers, names, prices), to edit."""

from usage.admin import collection, identity, ledger, preferences, prices, quota, servers

__all__ = ["collection", "identity", "ledger", "preferences", "prices", "quota", "servers"]
