"""The two faces of Explore, as tabs."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_app.explore_page.scatter_query import SCATTER
from channels_app.filter_bar.scope import Scope


def modes(scope: Scope, *, is_scatter: bool) -> list[tuple[Promise, str, bool]]:
    """Return label and address of each, and whether it is the present one: of the same period and filters."""
    return [
        (_("Trend"), str(scope.address), not is_scatter),
        (_("Scatter"), str(scope.address.setting("mode", SCATTER)), is_scatter),
    ]
