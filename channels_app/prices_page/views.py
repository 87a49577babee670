"""The Prices page, for everybody who is signed in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from channels_app.prices_page.page import PricesPage
from channels_app.prices_page.query import read_prices_query


@require_safe
@login_required
def prices(request: HttpRequest) -> HttpResponse:
    page = PricesPage(read_prices_query(request.GET), timezone.now())
    return render(request, "prices/prices.html", {"page": page})
