"""Collection: takers bring what servers give into the spool, a booker books it, a collector keeps both going."""

from usage.collection.sync import Outcome, check, refresh_names, sync_all, sync_instance

__all__ = ["Outcome", "check", "refresh_names", "sync_all", "sync_instance"]
