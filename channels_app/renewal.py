"""A page whose figures still grow asks for itself again; as long as nothing has changed it is told so (`ui.md` 14)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils import timezone

from channels_app.shell import Shell
from usage.ingest.prices import version_of_prices
from usage.models import CollectionGap, UsageRecord

# Of what a page was drawn; comes with each answer, and back with the question whether there is more.
HEADER = "X-Live"
# What leaves no trace here, such as a name that somebody changed or a period that moves on, shows after so many seconds.
_AT_LATEST = 300

_UNFINISHED = "has_unfinished_parts"

_Parameters = ParamSpec("_Parameters")
View = Callable[Concatenate[HttpRequest, _Parameters], HttpResponseBase]


def renewable(view: View[_Parameters]) -> View[_Parameters]:
    """Let `view` answer 304 to a page that has the newest already."""

    @wraps(view)
    def renewed(request: HttpRequest, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> HttpResponseBase:
        version = _version(request)  # before anything is read: what is booked meanwhile is told the next time
        if request.headers.get(HEADER) == version:
            return HttpResponseNotModified()
        answer = view(request, *args, **kwargs)
        if not hasattr(request, _UNFINISHED):
            answer[HEADER] = version
        return answer

    return renewed


def may_be_renewed_at_once(request: HttpRequest) -> None:
    """Have the page that is being drawn asked for anew although nothing changed: a part of it is missing."""
    setattr(request, _UNFINISHED, True)


def _version(request: HttpRequest) -> str:
    """A text that is another when there are new records, prices, gaps or another state of collection. Seven small queries."""
    chip = Shell.of(request).collector
    parts = (
        UsageRecord.objects.aggregate(Max("pk")),
        version_of_prices(),
        CollectionGap.objects.aggregate(Count("pk"), Max("pk"), Count("acknowledged_at")),
        chip and chip.level,
        timezone.now().timestamp() // _AT_LATEST,
    )
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
