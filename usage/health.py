"""For load balancers and supervisors: does this process answer, and is the whole ready (no login, nothing secret)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from usage.models import CollectorProcess
from usage.storage import has_room

_ALIVE = timedelta(seconds=60)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """This process answers; the database is not asked."""
    return JsonResponse({"status": "ok", "checks": {"web": True}})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether pages can be served and records are being taken; 503 where not."""
    checks = {"database": _holds(_database_answers)}
    checks |= {
        "migrations": checks["database"] and _holds(_is_migrated),
        "collector": checks["database"] and _holds(_collector_leads),
        "spool": has_room(),
    }
    ready = all(checks.values())
    return JsonResponse({"status": "ok" if ready else "fail", "checks": checks}, status=200 if ready else 503)


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except DatabaseError:
        return False


def _database_answers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone())


_migrated = False


def _is_migrated() -> bool:
    """Looked up until it is so: it stays so while this code runs, and the look costs tens of milliseconds."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def _collector_leads() -> bool:
    leading = CollectorProcess.objects.filter(role=CollectorProcess.Role.LEADING)
    return leading.filter(seen_at__gte=timezone.now() - _ALIVE).exists()
