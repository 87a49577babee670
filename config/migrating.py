"""What is answered when something went wrong; and 503 where that is because the database is not of this version yet: to
bring it there takes minutes where there are many records.
"""

from __future__ import annotations

import sys

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

_RETRY_SECONDS = 10


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what ended in the exception that is being handled."""
    if not isinstance(sys.exception(), DatabaseError) or not _is_migrating():
        return defaults.server_error(request)
    page = render_to_string("503.html", {"seconds": _RETRY_SECONDS})
    return HttpResponse(page, status=503, headers={"Retry-After": str(_RETRY_SECONDS)})


def _is_migrating() -> bool:
    """Whether a migration has not been applied; a database that does not even say which is another matter."""
    try:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError:
        return False
