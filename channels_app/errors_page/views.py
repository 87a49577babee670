from __future__ import annotations

from dataclasses import replace

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels_app.data_file import FORMATS
from channels_app.errors_page.export import export
from channels_app.errors_page.page import ErrorsPage
from channels_app.errors_page.query import MOST, read_errors_query
from channels_app.filter_bar.views import answer
from channels_app.renewal import renewable


@require_safe
@login_required
@renewable
def errors(request: HttpRequest) -> HttpResponseBase:
    now = timezone.now()
    query = read_errors_query(request.GET, now)
    if (file_format := request.GET.get("format", "")) in FORMATS:
        every = ErrorsPage(replace(query, limit=MOST, open=frozenset()), now)
        return export(every, request.GET.get("section", ""), file_format)
    return answer(request, "errors/errors.html", ErrorsPage(query, now))
