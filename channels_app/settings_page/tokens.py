"""The API tokens of whoever is signed in. Of a token only its digest is kept, so it is shown once."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from knox.models import AuthToken

from channels_app.settings_page.sections import TOKENS, SectionView


class Tokens(SectionView):
    section, template = TOKENS, "settings/tokens.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._draw(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        _row, token = AuthToken.objects.create(request.user)
        response = self._draw(request, token)
        response["Cache-Control"] = "no-store"
        return response

    def _draw(self, request: HttpRequest, token: str = "") -> HttpResponse:
        rows = AuthToken.objects.filter(user=request.user).order_by("-created")
        return self.page(request, rows=rows, token=token)


class RevokeToken(SectionView):
    section = TOKENS

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        """`key` is the beginning of the token, by which it is listed."""
        get_object_or_404(AuthToken, user=request.user, token_key=key).delete()
        messages.success(request, gettext("The token is revoked."))
        return redirect(TOKENS.address)
