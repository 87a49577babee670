"""The menus of what records name: one for each channel, account, model and key, however many rows name it.

Each for its own they would weigh more than all the rest of a list of 200 records.
"""

from __future__ import annotations

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from channels_app.address import Address
from channels_app.usage_table.menu import Condition, Subject, button, opened, subject
from channels_app.usage_table.row import page_of


class Menus:
    """`address` is the list, `scope` what it keeps of the address on other pages; `place` tells menus of a list and of a
    detail apart, which may be in one document.
    """

    def __init__(self, address: Address, scope: Address, place: str = "") -> None:
        self._address, self._scope, self._place = address, scope, place
        self._subjects: dict[Condition, Subject | None] = {}
        self._buttons: dict[Condition, SafeString] = {}

    def button(self, own: Condition, name: str, page: object = None) -> SafeString:
        """Return the button of what the filter `own` asks for; its page is that of `page`, or of what the filter takes."""
        if own not in self._buttons:
            by, value = own
            leads_to = page_of(by, value if page is None else page, self._scope)
            found = subject(f"{self._place}{by}-{value if page is None else page}", name, own, leads_to)
            self._subjects[own] = found
            self._buttons[own] = button(found) if found else mark_safe("")
        return self._buttons[own]

    def opened(self, *, may_name: bool, swaps: bool) -> SafeString:
        """Return what the buttons open that were asked for so far."""
        path = reverse("records")
        return mark_safe(  # noqa: S308
            "".join(
                opened(one, self._address, self._scope, may_name=may_name, path=path, swaps=swaps)
                for one in self._subjects.values()
                if one
            )
        )
