"""The form of an entry of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from usage.models import Instance

LEVELS = ("fail", "warn", "info")


@dataclass(frozen=True, slots=True)
class Action:
    """What helps: a link, or a form that changes something when it is sent (`is_post`)."""

    label: str
    url: str
    is_post: bool = False
    for_staff: bool = False


@dataclass(frozen=True, slots=True)
class Warning:
    """One entry of the catalogue, in the present language.

    `details` say more, `line` is something to copy, `since` is when it began; no `instance` means all of them. `incident`
    tells it from others of its kind where `since` does not.
    """

    id: str
    level: str
    text: str
    instance: Instance | None = None
    action: Action | None = None
    details: tuple[str, ...] = ()
    line: str = ""
    since: datetime | None = None
    incident: str = ""

    @property
    def key(self) -> str:
        """The same as long as it is about the same incident."""
        began = self.incident or (f"{self.since:%Y%m%d%H%M%S}" if self.since else "")
        return "-".join((self.id, str(self.instance.pk if self.instance else 0), began))


def to_collector(label: str, block: str) -> Action:
    """Lead to a block of the Collector page."""
    return Action(label, f"{reverse('collector')}#{block}")


def to_settings(instance: Instance) -> Action:
    return Action(_("Settings"), reverse("setup_server", args=[instance.pk]), for_staff=True)


def connection_test(instance: Instance) -> Action:
    return Action(_("Test connection"), reverse("collector_check", args=[instance.pk]), is_post=True, for_staff=True)


def why(instance: Instance) -> tuple[str, ...]:
    """What its last look found, as a detail."""
    return (str(capfirst(instance.state_text)),) if instance.state_text else ()


def host_of(instance: Instance) -> str:
    """The host of a server with its port: all of its URL that a page shows."""
    return urlsplit(instance.base_url).netloc.rpartition("@")[2]
