from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels_app.overview.page import OverviewPage
from channels_app.overview.query import read_overview_query
from config.report_zone import report_zone


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    query = read_overview_query(request.GET, report_zone(), now)
    return render(request, "overview/overview.html", {"page": OverviewPage(query, now)})
