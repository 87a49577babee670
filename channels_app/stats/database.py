"""The database that answers questions: a read replica where there is one, so that they burden no one who books."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)


def database() -> BaseDatabaseWrapper:
    """Return the connection to ask by. All of one question must go by it: a replica is a little behind."""
    if settings.REPLICA not in settings.DATABASES:
        return connections[DEFAULT_DB_ALIAS]
    replica = connections[settings.REPLICA]
    try:
        replica.ensure_connection()
    except OperationalError as error:
        logger.warning("the replica cannot be reached, the main database answers: %s", type(error).__name__)
        return connections[DEFAULT_DB_ALIAS]
    return replica
