"""The two forms of the first run."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import BaseUserCreationForm
from django.utils.translation import gettext_lazy as _

from usage.models import Instance


class AdministratorForm(BaseUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = get_user_model()
        fields = ("username",)

    def save(self, commit: bool = True) -> Any:
        self.instance.is_staff = self.instance.is_superuser = True
        return super().save(commit)


class ServerForm(forms.ModelForm):  # type: ignore[type-arg]
    """A CPA server. Its management key is only ever written: empty keeps the present one."""

    management_key = forms.CharField(
        label=_("Management key"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("remote-management.secret-key of CPA's config.yaml, before it was hashed"),
    )

    class Meta:
        model = Instance
        fields = ("name", "base_url", "management_key", "verify_tls", "mode")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["management_key"].required = not self.instance.encrypted_key
        self.fields["mode"].required = False

    def clean_base_url(self) -> str:
        base_url = str(self.cleaned_data["base_url"]).rstrip("/")
        if "@" in base_url:
            raise forms.ValidationError(_("Leave user and password out of the URL: it is shown on pages."))
        return base_url

    def clean_mode(self) -> str:
        return str(self.cleaned_data["mode"] or self.instance.mode)

    def save(self, commit: bool = True) -> Instance:
        if key := self.cleaned_data["management_key"]:
            self.instance.management_key = key
        super().save(commit)
        instance: Instance = self.instance
        return instance
