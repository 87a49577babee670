"""What accounts and client keys are called here: an alias goes before what servers say, on every page and in the API."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from channels_app.settings_page.sections import NAMES, SectionView
from usage import privacy
from usage.ingest.dimensions import clean
from usage.models import Account, ApiKey

ACCOUNTS, KEYS = "accounts", "keys"
_LONGEST = 100
_ROWS = 50
_FIELD = "alias-"


class Names(SectionView):
    """In privacy mode nothing can be named: the form would show what is hidden."""

    section, template = NAMES, "settings/names.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        of, q = _asked(request)
        rows = Paginator(_found(of, q), _ROWS).get_page(request.GET.get("page"))
        return self.page(request, of=of, q=q, rows=rows, is_private=privacy.is_on())

    def post(self, request: HttpRequest) -> HttpResponse:
        of, q = _asked(request)
        if privacy.is_on():
            messages.error(request, gettext("Turn privacy mode off to change names."))
        else:
            changed = _save(of, request.POST.dict())
            text = ngettext("%(number)s name changed.", "%(number)s names changed.", changed)
            messages.success(request, text % {"number": changed})
        kept = {"of": of, "q": q, "page": request.GET.get("page", "")}
        return redirect(f"{reverse(NAMES.address)}?{urlencode({name: value for name, value in kept.items() if value})}")


def _asked(request: HttpRequest) -> tuple[str, str]:
    of = request.GET.get("of", ACCOUNTS)
    return of if of in (ACCOUNTS, KEYS) else ACCOUNTS, request.GET.get("q", "").strip()[:_LONGEST]


def _found(of: str, q: str) -> QuerySet[Any]:
    """`#12` finds number 12. In privacy mode nobody is found by what is hidden."""
    if of == KEYS:
        rows: QuerySet[Any] = ApiKey.objects.order_by("alias", "key_mask", "pk")
        wanted = Q(alias__icontains=q) | Q(key_mask__icontains=q)
    else:
        rows = Account.objects.select_related("channel", "instance").order_by(
            "channel__position", "channel__name", "label", "qualifier", "pk"
        )
        wanted = Q(alias__icontains=q) | Q(label__icontains=q) | Q(channel__name__icontains=q)
    if q.startswith("#") and q[1:].isascii() and q[1:].isdigit() and len(q) < 20:
        wanted = Q(pk=int(q[1:]))
    return rows.filter(wanted) if q and not privacy.is_on() else rows


def _save(of: str, sent: dict[str, Any]) -> int:
    """Change what was sent of the rows that are there; return how many have another name now."""
    numbers = ((name.removeprefix(_FIELD), value) for name, value in sent.items() if name.startswith(_FIELD))
    aliases = {
        int(number): clean(value.strip(), _LONGEST)
        for number, value in numbers
        if number.isascii() and number.isdigit() and len(number) < 19
    }
    model: type[ApiKey] | type[Account] = ApiKey if of == KEYS else Account
    changed = [row for row in model.objects.filter(pk__in=aliases) if row.alias != aliases[row.pk]]
    for row in changed:
        row.alias = aliases[row.pk]
        row.save(update_fields=["alias"])
    return len(changed)
