"""What the tables of the admin have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that CPA made: to look at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts 10,000 rows at most: a full count takes seconds where there are many millions."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by().values("pk")[: self.MOST].count()


class LedgerAdmin(ReadOnlyAdmin):
    """A table that may have millions of rows."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50


def moment(field: str, description: Any) -> Callable[[Any], Any]:
    """A column for an InstantField, which the admin would take for a number."""

    @admin.display(description=description, ordering=field)
    def column(row: Any) -> Any:
        return getattr(row, field)

    return column
