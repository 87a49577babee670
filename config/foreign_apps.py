"""Apps of others as the admin calls them, in both languages: of their own they have no Chinese names."""

from __future__ import annotations

from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop


class SignInsConfig(AxesConfig):  # type: ignore[misc]  # it tells no types
    verbose_name = _("Protection of sign-ins")


class ApiTokensConfig(AppConfig):
    name = "knox"
    verbose_name = _("API tokens")

    def ready(self) -> None:
        tokens = self.get_model("AuthToken")._meta
        tokens.verbose_name, tokens.verbose_name_plural = _("API token"), _("API tokens")
        for field in tokens.concrete_fields:
            field.verbose_name = _OF_TOKENS[field.name]


_OF_TOKENS = {
    "digest": _("digest"),
    "token_key": _("Begins with"),
    "user": _("user"),
    "created": _("Created"),
    "expiry": _("Expires"),
}


# What axes would say in Chinese if it could: our catalogue does.
_OF_AXES = (
    gettext_noop("access attempt"),
    gettext_noop("access attempts"),
    gettext_noop("access failure"),
    gettext_noop("access failures"),
    gettext_noop("access log"),
    gettext_noop("access logs"),
    gettext_noop("Access lock out"),
    gettext_noop("Attempt Time"),
    gettext_noop("Failed Logins"),
    gettext_noop("GET Data"),
    gettext_noop("HTTP Accept"),
    gettext_noop("IP Address"),
    gettext_noop("Logout Time"),
    gettext_noop("POST Data"),
    gettext_noop("Path"),
    gettext_noop("Session key hash (sha256)"),
    gettext_noop("User Agent"),
    gettext_noop("Username"),
)
