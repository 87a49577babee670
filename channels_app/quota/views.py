"""The Quota page, for everybody who is signed in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels_app.quota.page import QuotaPage


@require_safe
@login_required
def quota(request: HttpRequest) -> HttpResponse:
    return render(request, "quota/quota.html", {"page": QuotaPage(request.GET.get("page", ""), timezone.now())})
