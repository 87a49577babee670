"""Explore, and the views of it that people save."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from channels_app.address import Address
from channels_app.data_file import FORMATS
from channels_app.explore_page.export import export
from channels_app.explore_page.page import ExplorePage
from channels_app.explore_page.query import read_explore_query
from channels_app.explore_page.scatter import ScatterPage
from channels_app.explore_page.scatter_query import SCATTER, read_scatter_query
from channels_app.filter_bar.views import answer
from channels_app.renewal import renewable
from usage.models import SavedView

# Of one person.
_MOST_SAVED = 100
_LONGEST_NAME = SavedView._meta.get_field("name").max_length or 0
_LONGEST_QUERY = SavedView._meta.get_field("query").max_length or 0


@require_safe
@login_required
@renewable
def explore(request: HttpRequest) -> HttpResponseBase:
    """Usage over time or, with `mode=scatter`, single requests."""
    now, saved = timezone.now(), list(SavedView.objects.filter(user=request.user.pk))
    page: ExplorePage | ScatterPage
    if request.GET.get("mode") == SCATTER:
        page, template = ScatterPage(read_scatter_query(request.GET, now), now, saved), "explore/scatter.html"
    else:
        page, template = ExplorePage(read_explore_query(request.GET, now), now, saved), "explore/explore.html"
    if (file_format := request.GET.get("format", "")) in FORMATS:
        return export(page, request.GET.get("section", ""), file_format)
    return answer(request, template, page)


@require_POST
@login_required
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep an address of Explore under a name; one of that name is replaced."""
    address = str(_address(request.POST.get("query", ""), timezone.now()))
    name = request.POST.get("name", "").replace("\0", "").strip()
    others = SavedView.objects.filter(user=request.user.pk).exclude(name=name)
    if not name or len(name) > _LONGEST_NAME:
        messages.error(request, _("A name has 1 to %(most)s characters; this one has %(n)s.") % {"most": _LONGEST_NAME, "n": len(name)})  # fmt: skip
    elif len(address) > _LONGEST_QUERY:
        messages.error(request, _("This view has too many filters to be saved."))
    elif others.count() >= _MOST_SAVED:
        messages.error(request, _("You have %(n)s views; delete one first.") % {"n": _MOST_SAVED})
    else:
        SavedView.objects.update_or_create(user_id=cast(int, request.user.pk), name=name, defaults={"query": address})
        messages.success(request, _("“%(name)s” is saved.") % {"name": name})
    return HttpResponseRedirect(f"{reverse('channels_app:explore')}{address}")


def _address(query: str, now: datetime) -> Address:
    """Return the address that says the same and nothing else."""
    asked = QueryDict(query.removeprefix("?"))
    read = read_scatter_query if asked.get("mode") == SCATTER else read_explore_query
    return read(asked, now).address


@require_POST
@login_required
def delete_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget one of one's own; of what is not there nothing is said."""
    SavedView.objects.filter(user=request.user.pk, pk=pk).delete()
    address = _address(request.POST.get("query", ""), timezone.now())
    return HttpResponseRedirect(f"{reverse('channels_app:explore')}{address}")
