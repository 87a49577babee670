from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from channels_app.data_file import FORMATS
from channels_app.filter_bar.views import answer
from channels_app.keys_page.export import export
from channels_app.keys_page.page import KeysPage
from channels_app.keys_page.query import read_keys_query
from channels_app.renewal import renewable
from channels_app.way_back import way_back
from usage import privacy
from usage.models import ApiKey

_LONGEST = ApiKey._meta.get_field("alias").max_length


@require_safe
@login_required
@renewable
def keys(request: HttpRequest) -> HttpResponseBase:
    now = timezone.now()
    page = KeysPage(read_keys_query(request.GET, now), now)
    file_format = request.GET.get("format", "")
    if file_format in FORMATS:
        return export(page, request.GET.get("section", ""), file_format)
    return answer(request, "keys/keys.html", page)


@require_POST
@login_required
def alias(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a key the name that people read instead of its mask, or none; then back to where one came from. For staff."""
    if not request.user.is_staff:
        raise PermissionDenied
    row = ApiKey.objects.filter(pk=pk).first()
    if row is None:
        raise Http404(_("There is no API key %(value)s") % {"value": pk})
    name = request.POST.get("alias", "").replace("\0", "").strip()
    if privacy.is_on():  # the form would have shown what is hidden
        messages.error(request, _("Turn privacy mode off to change names."))
    elif len(name) > (_LONGEST or 0):
        messages.error(request, _("A name has at most %(most)s characters; this one has %(n)s.") % {"most": _LONGEST, "n": len(name)})  # fmt: skip
    else:
        row.alias = name
        row.save(update_fields=["alias"])
        messages.success(request, _("%(key)s is now called %(name)s.") % {"key": row.key_mask, "name": row})
    return way_back(request, reverse("channels_app:keys"))
