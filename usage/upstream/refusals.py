"""What a server that cannot be asked means for its instance, in words, whichever protocol said so (contract A)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from usage.models import Instance

_DEFAULT_BAN = timedelta(minutes=30)
# Asked exactly when a ban ends, CPA may still hold it.
_BAN_MARGIN = timedelta(seconds=10)
_GO_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")

State = Instance.State


class UpstreamError(Exception):
    """A server could not be asked: what that means for the instance, why, and what to do.

    `reason` is a message of our catalogue, which `params` completes; as text it is in the present language. `was_sent`
    tells that the server may have handed out records in an answer that never arrived.
    """

    def __init__(
        self,
        state: Instance.State,
        reason: str,
        params: dict[str, str] | None = None,
        *,
        retry_at: datetime | None = None,
        was_sent: bool = False,
    ) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason
        self.params = params or {}
        self.retry_at = retry_at
        self.was_sent = was_sent

    def __str__(self) -> str:
        return gettext(self.reason) % self.params if self.params else gettext(self.reason)


def key_rejected() -> UpstreamError:
    return UpstreamError(
        State.KEY_REJECTED,
        _("the management key was refused; it will not be sent again until it is changed, since five refusals ban this machine for 30 minutes"),
    )  # fmt: skip


def management_off() -> UpstreamError:
    """The server has no management API: no secret is set, it is a worker of a "home" server, or it is no CPA at all."""
    return UpstreamError(
        State.MANAGEMENT_OFF,
        _("there is no management API at this URL; set remote-management.secret-key in CPA's config.yaml, or mend the URL"),
    )  # fmt: skip


def forbidden(text: str) -> UpstreamError | None:
    """Return what the words of a refusal mean; None where they are not CPA's."""
    if "banned" in text:
        return _banned(text)
    if "remote management disabled" in text:
        return UpstreamError(
            State.REMOTE_OFF,
            _("CPA admits only its own machine; set remote-management.allow-remote: true in its config.yaml"),
        )
    return management_off() if "key not set" in text else None


def _banned(text: str) -> UpstreamError:
    retry_at = timezone.now() + _ban_left(text) + _BAN_MARGIN
    return UpstreamError(
        State.BANNED,
        _("CPA has banned this machine after failed logins; it will be asked again at %(time)s UTC"),
        {"time": f"{retry_at:%H:%M:%S}"},
        retry_at=retry_at,
    )


def _ban_left(text: str) -> timedelta:
    """Read Go's duration from `... Try again in 29m58s`."""
    found = _GO_DURATION.search(text.strip())
    if not found or not any(found.groups()):
        return _DEFAULT_BAN
    hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
