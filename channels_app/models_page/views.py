from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels_app.data_file import FORMATS
from channels_app.filter_bar.views import answer
from channels_app.models_page.export import export
from channels_app.models_page.page import ModelsPage
from channels_app.models_page.query import read_models_query
from channels_app.renewal import renewable


@require_safe
@login_required
@renewable
def models(request: HttpRequest) -> HttpResponseBase:
    now = timezone.now()
    page = ModelsPage(read_models_query(request.GET, now), now)
    file_format = request.GET.get("format", "")
    if file_format in FORMATS:
        return export(page, request.GET.get("section", ""), file_format)
    return answer(request, "models/models.html", page)
