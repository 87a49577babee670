from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels_app.data_file import FORMATS
from channels_app.explore_page.export import export
from channels_app.explore_page.page import ExplorePage
from channels_app.explore_page.query import read_explore_query
from channels_app.explore_page.scatter import ScatterPage
from channels_app.explore_page.scatter_query import SCATTER, read_scatter_query
from channels_app.filter_bar.views import answer
from channels_app.renewal import renewable


@require_safe
@login_required
@renewable
def explore(request: HttpRequest) -> HttpResponseBase:
    """Usage over time or, with `mode=scatter`, single requests."""
    now = timezone.now()
    if request.GET.get("mode") == SCATTER:
        return answer(request, "explore/scatter.html", ScatterPage(read_scatter_query(request.GET, now), now))
    page = ExplorePage(read_explore_query(request.GET, now), now)
    if (file_format := request.GET.get("format", "")) in FORMATS:
        return export(page, request.GET.get("section", ""), file_format)
    return answer(request, "explore/explore.html", page)
