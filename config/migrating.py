"""A database that is not of this version yet: while it is brought to it, which takes minutes where there are many records,
pages say so instead of that something went wrong.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

_RETRY_SECONDS = 10


class Migrating:
    """Middleware that answers 503 to a question that failed because of it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DatabaseError) or not _is_migrating():
            return None
        headers = {"Retry-After": str(_RETRY_SECONDS)}
        page = render_to_string("503.html", {"seconds": _RETRY_SECONDS})
        return HttpResponse(page, status=503, headers=headers)


def _is_migrating() -> bool:
    """Whether a migration has not been applied; a database that does not even say which is another matter."""
    try:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError:
        return False
