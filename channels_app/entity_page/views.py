from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels_app.chart_file import CHART, LATENCY, SUCCESS, chart_file
from channels_app.charts.time_chart import TimeChart
from channels_app.dashboard.figures_file import FIGURES, figures_file
from channels_app.data_file import FORMATS
from channels_app.entity_page.entity import Entity, find_account, find_channel, find_key, find_model
from channels_app.entity_page.page import EntityPage
from channels_app.entity_page.query import read_entity_query
from channels_app.filter_bar.views import answer
from channels_app.renewal import renewable
from channels_app.usage_table.export import export

_CHARTS: dict[str, Callable[[EntityPage], TimeChart]] = {
    CHART: lambda page: page.usage_chart,
    LATENCY: lambda page: page.latency_chart,
    SUCCESS: lambda page: page.success_chart,
}


def _answer(request: HttpRequest, entity: Entity) -> HttpResponseBase:
    now = timezone.now()
    page = EntityPage(read_entity_query(entity, request.GET, now), now)
    file_format, section = request.GET.get("format", ""), request.GET.get("section", "")
    if file_format not in FORMATS:
        return answer(request, "entities/entity_detail.html", page)
    if section in _CHARTS:
        return chart_file(_CHARTS[section](page), entity.dimension.name, page.scope, file_format, section)
    if section == FIGURES:
        return figures_file(page.answers, entity.dimension.name, file_format)
    if page.has_table:
        return export(page.table, page.scope, f"{entity.dimension.name}-{page.query.view}s", file_format)
    return answer(request, "entities/entity_detail.html", page)


def _view(find: Callable[..., Entity]) -> Callable[..., HttpResponseBase]:
    @require_safe
    @login_required
    @renewable
    def view(request: HttpRequest, which: str | int) -> HttpResponseBase:
        return _answer(request, find(which))

    return view


channel, account, model, key = (_view(find) for find in (find_channel, find_account, find_model, find_key))
