"""The pages."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from channels_app.channels_page import ChannelsPage, read_channels_query
from channels_app.chart_file import CHART, chart_file
from channels_app.data_file import FORMATS
from channels_app.filter_bar.views import answer
from channels_app.renewal import renewable
from channels_app.shell import REFRESH_SECONDS, THEMES
from channels_app.usage_table.export import export
from channels_app.way_back import keep_in_browser, way_back
from usage.models import Preferences


@require_safe
@login_required
@renewable
def channels(request: HttpRequest) -> HttpResponseBase:
    now = timezone.now()
    page = ChannelsPage(read_channels_query(request.GET, now), now)
    file_format = request.GET.get("format", "")
    if file_format in FORMATS and request.GET.get("section") == CHART:
        return chart_file(page.usage_chart, "channels", page.scope, file_format)
    if file_format in FORMATS:
        return export(page.table, page.scope, "channels", file_format)
    return answer(request, "channels/channels.html", page)


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keep the theme in a cookie, so that the server can draw the first paint with it; then back to the page."""
    response = way_back(request)
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        keep_in_browser(response, "theme", theme)
    return response


@require_POST
@login_required
def choose_refresh(request: HttpRequest) -> HttpResponse:
    """Keep how often figures that grow are renewed for whoever asks; then back to the page."""
    seconds = request.POST.get("refresh", "")
    if seconds in REFRESH_SECONDS:
        Preferences.objects.update_or_create(pk=request.user.pk, defaults={"refresh_seconds": int(seconds)})
    return way_back(request)


@require_POST
@login_required
def choose_privacy(request: HttpRequest) -> HttpResponse:
    """Turn it `on` or off for whoever asks, wherever they are signed in; then back to the page."""
    privacy = request.POST.get("privacy") == "on"
    Preferences.objects.update_or_create(pk=request.user.pk, defaults={"privacy": privacy})
    return way_back(request)
