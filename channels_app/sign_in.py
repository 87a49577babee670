"""Signing in: until the browser is closed or, if asked for, for 14 days; and how long it is paused after wrong passwords."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from math import ceil
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_cool_off, get_failure_limit
from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone


class SignInForm(AuthenticationForm):
    keep = forms.BooleanField(required=False)


class SignInView(LoginView):
    form_class = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_valid(form)
        if form.cleaned_data["keep"]:
            self.request.session.set_expiry(settings.SESSION_COOKIE_AGE)
        return answer


def locked_out(request: HttpRequest, _answer: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """Say how long to wait, in whole seconds. It is the same for names that nobody has."""
    wait = timedelta(seconds=ceil(_wait(request, credentials).total_seconds()))
    asked = {"wait": wait, "next": request.POST.get("next", "")}
    return render(request, "locked_out.html", asked, status=HTTPStatus.TOO_MANY_REQUESTS)


def _wait(request: HttpRequest, credentials: dict[str, Any] | None) -> timedelta:
    """Until so many failures are forgotten that those left are too few to lock anybody out."""
    left, limit = 0, get_failure_limit(request, credentials)
    attempts = AxesDatabaseHandler().get_user_attempts(request, credentials)[0].order_by("-attempt_time")
    for attempt in attempts:
        left += attempt.failures_since_start
        if left >= limit:
            wait: timedelta = attempt.attempt_time + get_cool_off(request) - timezone.now()
            return max(wait, timedelta())
    return timedelta()
