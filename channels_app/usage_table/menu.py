"""What can be done with the entity of a row, at one place of every table (`ui.md` 11.3): open it, filter by it, see its
records, name it. A native popover: by mouse, finger and keys, without JavaScript.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import NamedTuple
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from channels_app.address import Address
from channels_app.filter_bar.scope import GLOBAL_PARAMETERS
from channels_app.filters import UNKNOWN_CHANNEL
from usage.models.record import NO_KEY, NO_STATUS

_FILTERS = ("server", "channel", "account", "model", "key", "code")
# Values that stand for nothing in particular: the first can be asked for, but not named; the second not even that.
_NAMELESS = (UNKNOWN_CHANNEL, str(NO_KEY))
_UNASKABLE = ("code", str(NO_STATUS))

Condition = tuple[str, str]


class Subject(NamedTuple):
    """`conditions` are the filters that ask for it alone, its own the last; `page` is the address of its own page, or empty."""

    id: str
    name: str
    conditions: tuple[Condition, ...]
    page: str


def subject(id: str, name: str, own: Condition, page: str, parent: Condition | None = None) -> Subject | None:
    """Return what a menu is of; None where no filter asks for it. `parent` is what its row is a part of."""
    if own[0] not in _FILTERS or not own[1] or own == _UNASKABLE:
        return None
    is_implied = own[0] == "account" or not parent or not parent[1] or parent[0] not in _FILTERS
    return Subject(id, name, (own,) if is_implied or parent is None else (parent, own), page)


def menu(subject: Subject, address: Address, scope: Address, *, may_name: bool) -> SafeString:
    """Return its button and what that opens, one after the other."""
    return button(subject) + opened(subject, address, scope, may_name=may_name)


def button(subject: Subject) -> SafeString:
    """Return what opens the menu: several may open the same, which then stands beside the one that did.

    Put together here: a table has a hundred of them, and a template takes several times as long.
    """
    label = escape(_("Actions: %(name)s") % {"name": subject.name})
    return mark_safe(  # noqa: S308
        f'<button class="quiet row-more" type="button" popovertarget="{_key(subject)}" aria-label="{label}">'
        '<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><use href="#i-more"/></svg></button>'
    )


def opened(
    subject: Subject, address: Address, scope: Address, *, may_name: bool, path: str = "", swaps: bool = True
) -> SafeString:
    """Return what its buttons open. `address` is the list that it may filter, at `path` if not on this very page;
    `swaps` tells whether that is drawn in place of what is shown. `scope` is all that the page is asked for.
    """
    links = "".join(_links(subject, address, scope, path, swaps=swaps, may_name=may_name))
    return mark_safe(f'<span class="popover row-menu" id="{_key(subject)}" popover>{links}</span>')  # noqa: S308


def _key(subject: Subject) -> str:
    return f"menu-{escape(subject.id)}"


def _links(
    subject: Subject, address: Address, scope: Address, path: str, *, swaps: bool, may_name: bool
) -> Iterator[str]:
    if subject.page:
        yield _link(subject.page, _("Open"))
    filtered = _asking(address, subject.conditions)
    here = f"{path}{filtered}"
    if str(filtered) != str(address):
        yield _link(here, _("Filter by this"), swaps=swaps)
    records = f"{reverse('records')}{_asking(scope.only(GLOBAL_PARAMETERS), subject.conditions)}"
    if records != here:
        yield _link(records, _("View records"))
    if may_name and (where := _naming(*subject.conditions[-1])):
        yield _link(where, _("Edit name"))


def _link(address: str, text: str, *, swaps: bool = False) -> str:
    return f'<a href="{escape(address)}"{" data-swap" if swaps else ""}>{escape(text)}</a>'


def _asking(address: Address, conditions: Iterable[Condition]) -> Address:
    for name, value in conditions:
        address = address.setting(name, value)
    return address


def _naming(dimension: str, value: str) -> str:
    """Where staff name it; empty for what has the name that upstream gives it."""
    if value in _NAMELESS:
        return ""
    if dimension == "channel":
        return f"{reverse('settings_channels')}#channel-{value}"
    if dimension == "account":
        return f"{reverse('settings_names')}?{urlencode({'of': 'accounts', 'q': f'#{value}'})}"
    if dimension == "key":
        return f"{reverse('settings_names')}?{urlencode({'of': 'keys', 'q': f'#{value}'})}"
    return ""
