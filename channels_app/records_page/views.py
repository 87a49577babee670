"""The Records page and its parts, for everybody who is signed in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from channels_app.chart_file import CHART, chart_file
from channels_app.data_file import FORMATS, JSON
from channels_app.filter_bar.views import answer
from channels_app.records import with_names
from channels_app.records_page.detail import RecordDetail
from channels_app.records_page.export import export
from channels_app.records_page.page import RecordsPage
from channels_app.records_page.query import read_records_query
from usage.models import UsageRecord


@require_safe
@login_required
def record_list(request: HttpRequest) -> HttpResponseBase:
    now = timezone.now()
    query = read_records_query(request.GET, now)
    page, file_format = RecordsPage(query, now), request.GET.get("format", "")
    if file_format in FORMATS and request.GET.get("section") == CHART:
        return chart_file(page.strip, "records", page.scope, file_format)
    if file_format in FORMATS:
        return export(query, file_format)
    return answer(request, "records/records.html", page)


@require_safe
@login_required
def newcomers(request: HttpRequest) -> HttpResponse:
    """How many records have come since the page whose `after` this is, in words; empty where none."""
    now = timezone.now()
    page = RecordsPage(read_records_query(request.GET, now), now)
    return render(request, "records/_newcomers.html", {"page": page})


@require_safe
@login_required
def record(request: HttpRequest, pk: int) -> HttpResponse:
    """One record: the whole page, or (`partial`) what a drawer beside the list shows of it, or as a file."""
    row = with_names(UsageRecord.objects.filter(pk=pk)).first()
    if row is None:
        raise Http404(_("There is no record %(id)s") % {"id": pk})
    detail = RecordDetail(row, read_records_query(request.GET, timezone.now()))
    if request.GET.get("format") == JSON:
        file = {"Content-Disposition": f'attachment; filename="record-{pk}.json"'}
        return HttpResponse(detail.raw, content_type="application/json", headers=file)
    template = "records/_detail.html" if request.GET.get("partial") else "records/record.html"
    with timezone.override(detail.scope.period.zone):
        return render(request, template, {"detail": detail})
