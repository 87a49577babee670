"""Who may sign in: superusers add people and shut them out again. All else of a user is the admin's."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import BaseUserCreationForm
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels_app.settings_page.sections import USERS, SectionView
from usage import privacy


class UserForm(BaseUserCreationForm):  # type: ignore[type-arg]
    is_staff = forms.BooleanField(
        label=_("Operator"),
        required=False,
        help_text=_("Edits prices, names and servers. Others only look."),
    )

    class Meta:
        model = get_user_model()
        fields = ("username", "is_staff")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """The form is below the list, so that its first field must not take the focus."""
        super().__init__(*args, **kwargs)
        del self.fields["username"].widget.attrs["autofocus"]


class Users(SectionView):
    section, template = USERS, "settings/users.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._draw(request, UserForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = UserForm(request.POST)
        if not form.is_valid():
            return self._draw(request, form)
        messages.success(request, gettext("%(name)s can sign in now.") % {"name": form.save().get_username()})
        return redirect(USERS.address)

    def _draw(self, request: HttpRequest, form: UserForm) -> HttpResponse:
        users = get_user_model().objects.annotate(tokens=Count("auth_token_set")).order_by("-is_active", "username")
        rows = [(user, privacy.alias(user.get_username(), gettext("User"), user.pk)) for user in users]
        return self.page(request, form=form, rows=rows)


class SwitchUser(SectionView):
    """Lets somebody in again, or shuts them out: neither password nor token opens then. Nobody shuts out themselves."""

    section = USERS

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        user: Any = get_object_or_404(get_user_model(), pk=pk)
        if user == request.user:
            messages.error(request, gettext("Nobody can shut out themselves."))
            return redirect(USERS.address)
        user.is_active = request.POST.get("active") == "yes"
        user.save(update_fields=["is_active"])
        text = gettext("%(name)s can sign in now.") if user.is_active else gettext("%(name)s cannot sign in any more.")
        messages.success(request, text % {"name": user.get_username()})
        return redirect(USERS.address)
