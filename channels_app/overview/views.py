from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels_app.channels_page import ChannelsPage, ChannelsQuery
from channels_app.chart_file import CHART, LATENCY, chart_file
from channels_app.dashboard.figures_file import FIGURES, figures_file
from channels_app.data_file import FORMATS
from channels_app.filter_bar.views import answer
from channels_app.overview.page import OverviewPage
from channels_app.overview.query import read_overview_query
from channels_app.renewal import renewable
from channels_app.usage_table.export import export


@require_safe
@login_required
@renewable
def overview(request: HttpRequest) -> HttpResponseBase:
    """The page; its table as a file is the channels with all that the Channels page tells of them."""
    now = timezone.now()
    page = OverviewPage(read_overview_query(request.GET, now), now)
    file_format = request.GET.get("format", "")
    if file_format not in FORMATS:
        return answer(request, "overview/overview.html", page)
    if request.GET.get("section") == CHART:
        return chart_file(page.usage_chart, "overview", page.scope, file_format)
    if request.GET.get("section") == LATENCY:
        return chart_file(page.latency_chart, "overview", page.scope, file_format, LATENCY)
    if request.GET.get("section") == FIGURES:
        return figures_file(page.answers, "overview", file_format)
    channels = ChannelsPage(ChannelsQuery(page.scope, ("channel",), by="channel"), now)
    return export(channels.table, page.scope, "overview", file_format)
