"""Signing in: until the browser is closed or, if asked for, for 14 days."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpResponse


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
