"""The four dimensions that have pages: how their charts are grouped, and what they are broken down by (`ui.md` 11.4)."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# What a page can be broken down by, and what its tab is called; by code: its failures.
TABS: dict[str, Promise] = {
    "channel": _("Channels"),
    "account": _("Accounts"),
    "model": _("Models"),
    "key": _("API keys"),
    "endpoint": _("Endpoints"),
    "code": _("Errors"),
}


@dataclass(frozen=True)
class Dimension:
    """`name` is that of the filter, and of the page's address; `section` that of the page in the navigation from which one
    comes, and whose address this is too.

    `groupings` are those of the main chart, the usual one first. `sections` are templates of what only such pages have,
    shown below what is known of the entity: they get `page` and `entity`.
    """

    name: str
    section: str
    groupings: tuple[str, ...]
    tabs: tuple[str, ...]
    sections: tuple[str, ...] = ()

    @property
    def section_label(self) -> Promise:
        return TABS[self.section.removesuffix("s")]

    @property
    def facts(self) -> str:
        """The template of what is known of one."""
        return f"entities/_{self.name}.html"


CHANNEL = Dimension(
    "channel", "channels", ("account", "model", "key", "type"), ("account", "model", "key", "endpoint", "code"),
    sections=("quota/_section.html",),
)  # fmt: skip
ACCOUNT = Dimension(
    "account", "channels", ("model", "key", "type"), ("model", "key", "endpoint", "code"),
    sections=("quota/_section.html",),
)  # fmt: skip
MODEL = Dimension(
    "model", "models", ("channel", "account", "key", "type"), ("channel", "account", "key", "endpoint", "code"),
    sections=("entities/_requested_as.html", "entities/_prices.html"),
)  # fmt: skip
KEY = Dimension(
    "key", "keys", ("model", "channel", "account", "type"), ("model", "channel", "account", "endpoint", "code")
)
