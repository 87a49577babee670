"""What a look at a server found, in words for its operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from usage.models import Instance


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` is ok, warn or fail; `hint` is a line to copy into a configuration, or empty."""

    level: str
    text: str
    hint: str = ""


def describe(instance: Instance) -> list[Finding]:
    """Return the findings of the last look at `instance`, best first."""
    if instance.state not in (Instance.State.OK, Instance.State.STATISTICS_OFF):
        return [Finding("fail", instance.state_text)]
    return [*_version(instance), _source(instance), _statistics(instance)]


def _version(instance: Instance) -> Iterator[Finding]:
    version = instance.version or _("of a version before 6.3.36")
    yield Finding("ok", _("This is CLIProxyAPI %(version)s, and the management key is right.") % {"version": version})


def _source(instance: Instance) -> Finding:
    texts = {
        Instance.Source.QUEUE: (
            "ok",
            _("Records can be had from its usage queue; they will be taken every %(seconds)s seconds.")
            % {"seconds": f"{settings.POLL_SECONDS:g}"},
        ),
        Instance.Source.LEGACY: (
            "ok",
            _("Records can be had from its usage snapshot; it will be read every %(seconds)s seconds.")
            % {"seconds": f"{settings.LEGACY_POLL_SECONDS:g}"},
        ),
    }
    unsupported = ("fail", _("This version gives its records by RESP only. Upgrade CPA to 6.10.8 or later."))
    return Finding(*texts.get(Instance.Source(instance.source), unsupported))


def _statistics(instance: Instance) -> Finding:
    if instance.statistics_enabled:
        return Finding("ok", _("Usage statistics are on."))
    return Finding(
        "fail",
        _(
            "Usage statistics are off, so CPA records nothing. Add this line to its config.yaml; it takes effect at once."
        ),
        hint="usage-statistics-enabled: true",
    )
