"""Which sections there are, and how each is answered."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib.auth.mixins import LoginRequiredMixin, UserPassesTestMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views import View


class Section(NamedTuple):
    """`address` is the name of its URL, `right` what a user must have to come to it; empty: nothing."""

    address: str
    title: Promise
    right: str = ""

    def is_open_to(self, user: Any) -> bool:
        return not self.right or bool(getattr(user, self.right))


PERSONAL = Section("settings", _("Personal"))
DISPLAY = Section("settings_display", _("Display"), "is_staff")
CHANNELS = Section("settings_channels", _("Channels"), "is_staff")
NAMES = Section("settings_names", _("Accounts & keys"), "is_staff")
SERVERS = Section("settings_servers", _("Collector"), "is_staff")
RETENTION = Section("settings_retention", _("Retention"), "is_staff")
USERS = Section("settings_users", _("Users"), "is_superuser")
TOKENS = Section("settings_tokens", _("API tokens"))
ABOUT = Section("settings_about", _("About"))
_ALL = (PERSONAL, DISPLAY, CHANNELS, NAMES, SERVERS, RETENTION, USERS, TOKENS, ABOUT)


class SectionView(LoginRequiredMixin, UserPassesTestMixin, View):
    """Draws its `template` within the page, for who has the right to it."""

    section: Section
    template: str

    def test_func(self) -> bool:
        return self.section.is_open_to(self.request.user)

    def page(self, request: HttpRequest, **context: Any) -> HttpResponse:
        sections = [section for section in _ALL if section.is_open_to(request.user)]
        return render(request, self.template, {"section": self.section, "sections": sections, **context})
