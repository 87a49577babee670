"""The pages of the first run."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.mixins import UserPassesTestMixin
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views import View
from django.views.generic import FormView

from usage.collection import check
from usage.models import Instance
from usage.setup.findings import describe
from usage.setup.forms import AdministratorForm, ServerForm
from usage.setup.link import administrator_exists, is_valid


class AdministratorView(FormView):  # type: ignore[type-arg]
    """Creates the administrator, once, for who holds the link."""

    template_name = "setup/administrator.html"
    form_class = AdministratorForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if administrator_exists():
            return redirect("login")
        if not is_valid(kwargs["token"]):
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    @transaction.atomic
    def form_valid(self, form: AdministratorForm) -> HttpResponse:
        user = form.save()
        login(self.request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("setup_server")


class ServerView(UserPassesTestMixin, View):
    """Adds a CPA server, or mends one, and says what it found there."""

    def test_func(self) -> bool:
        return self.request.user.is_staff

    def get(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        instance = _instance(pk)
        return _page(request, ServerForm(instance=instance), instance)

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        form = ServerForm(request.POST, instance=_instance(pk))
        if not form.is_valid():
            return _page(request, form, form.instance)
        instance = form.save()
        check(instance)
        return redirect("setup_server", pk=instance.pk)


def _instance(pk: int | None) -> Instance:
    return Instance() if pk is None else get_object_or_404(Instance, pk=pk)


def _page(request: HttpRequest, form: ServerForm, instance: Instance) -> HttpResponse:
    was_checked = instance.pk is not None and instance.state != Instance.State.NEW
    findings = describe(instance) if was_checked else []
    context = {"form": form, "instance": instance if instance.pk else None, "findings": findings}
    return render(request, "setup/server.html", context)
