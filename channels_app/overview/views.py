from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels_app.filter_bar.views import answer
from channels_app.overview.page import OverviewPage
from channels_app.overview.query import read_overview_query
from channels_app.renewal import renewable


@require_safe
@login_required
@renewable
def overview(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    return answer(request, "overview/overview.html", OverviewPage(read_overview_query(request.GET, now), now))
