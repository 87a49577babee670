"""One connection to the management API of one CPA server (contract A), with an answer in words for each way it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from usage.models import Instance

MANAGEMENT = "/v0/management"
# A poll may carry megabytes from a busy server; one that hangs longer than CPA keeps its records has lost some.
_TIMEOUT = httpx.Timeout(60, connect=5)
_DEFAULT_BAN = timedelta(minutes=30)
# Asked exactly when a ban ends, CPA may still hold it.
_BAN_MARGIN = timedelta(seconds=10)
_GO_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")
_GATEWAY_STATUSES = {429, 502, 503, 504}

State = Instance.State


class UpstreamError(Exception):
    """A server could not be asked: what that means for the instance, why, and what to do.

    `reason` is a message of our catalogue, which `params` completes; as text it is in the present language.
    """

    def __init__(
        self,
        state: Instance.State,
        reason: str,
        params: dict[str, str] | None = None,
        *,
        retry_at: datetime | None = None,
    ) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason
        self.params = params or {}
        self.retry_at = retry_at

    def __str__(self) -> str:
        return gettext(self.reason) % self.params if self.params else gettext(self.reason)


class ManagementClient:
    """Asks one server; a context manager. Every request is sent once: a pop that is repeated loses what it popped.

    Methods raise UpstreamError.
    """

    def __init__(self, instance: Instance) -> None:
        self.version = ""
        self._http = httpx.Client(
            base_url=instance.base_url + MANAGEMENT,
            headers={
                "Authorization": f"Bearer {instance.management_key}",
                # CPA does not compress; a proxy before it that does only costs time.
                "Accept-Encoding": "identity",
                "User-Agent": "cpa-meter",
            },
            timeout=_TIMEOUT,
            verify=instance.verify_tls,
            follow_redirects=False,  # the key is for this address only
        )

    def __enter__(self) -> ManagementClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def get_json(self, path: str) -> Any:
        """Return the JSON at `path`, or None where this server has no such endpoint (404)."""
        with self.stream(path) as response:
            if response.status_code == 404:
                return None
            require_json(response)
            body = response.read()
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _not_json(response) from None

    def status_of(self, path: str) -> int:
        """Return the status of `path` without reading its body."""
        with self.stream(path) as response:
            return response.status_code

    @contextmanager
    def stream(self, path: str) -> Iterator[httpx.Response]:
        """Yield the answer to GET `path`, its body still on the way, after what every answer may be was checked."""
        try:
            with self._http.stream("GET", path) as response:
                self.version = response.headers.get("X-CPA-VERSION", self.version)
                _refuse_refusals(response)
                yield response
        except httpx.TimeoutException:
            raise UpstreamError(State.UNREACHABLE, _("no answer in time; is the server overloaded?")) from None
        except httpx.HTTPError as error:
            raise _broken(error) from None


def _refuse_refusals(response: httpx.Response) -> None:
    """Raise for the answers that end every request: refused key, ban, remote access off, redirect, gateway errors."""
    status = response.status_code
    if status == 401:
        raise UpstreamError(
            State.KEY_REJECTED,
            _("the management key was refused; it will not be sent again until it is changed, since five refusals ban this machine for 30 minutes"),
        )  # fmt: skip
    if status == 403:
        raise _forbidden(_error_text(response))
    if 300 <= status < 400:
        raise UpstreamError(
            State.FAULTY,
            _("the server redirects to %(host)s, where the management key is not sent; enter the final address as URL"),
            {"host": httpx.URL(response.headers.get("Location", "")).host or "?"},
        )
    if status in _GATEWAY_STATUSES:
        raise UpstreamError(
            State.FAULTY,
            _("a proxy in front of CPA answered %(status)s"),
            {"status": str(status)},
            retry_at=_retry_after(response),
        )


def require_json(response: httpx.Response) -> None:
    """Raise UpstreamError unless the answer, its body still unread, is what CPA sends when all is well."""
    if response.status_code != 200:
        raise UpstreamError(State.FAULTY, _("CPA answered %(status)s"), {"status": str(response.status_code)})
    if "json" not in response.headers.get("Content-Type", ""):
        raise _not_json(response)


def _forbidden(text: str) -> UpstreamError:
    if "banned" in text:
        retry_at = timezone.now() + _ban_left(text) + _BAN_MARGIN
        return UpstreamError(
            State.BANNED,
            _("CPA has banned this machine after failed logins; it will be asked again at %(time)s UTC"),
            {"time": f"{retry_at:%H:%M:%S}"},
            retry_at=retry_at,
        )
    if "remote management disabled" in text:
        return UpstreamError(
            State.REMOTE_OFF,
            _("CPA admits only its own machine; set remote-management.allow-remote: true in its config.yaml"),
        )
    if "key not set" in text:
        return management_off()
    return UpstreamError(State.FAULTY, _("the server answered 403 in words that are not CPA's; is a proxy in front?"))


def management_off() -> UpstreamError:
    """The server has no management API: no secret is set, it is a worker of a "home" server, or it is no CPA at all."""
    return UpstreamError(
        State.MANAGEMENT_OFF,
        _("there is no management API at this URL; set remote-management.secret-key in CPA's config.yaml, or mend the URL"),
    )  # fmt: skip


def _ban_left(text: str) -> timedelta:
    """Read Go's duration from `... Try again in 29m58s`."""
    found = _GO_DURATION.search(text.strip())
    if not found or not any(found.groups()):
        return _DEFAULT_BAN
    hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _retry_after(response: httpx.Response) -> datetime | None:
    """Read Retry-After, which is seconds or a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "")
    if value.isdigit():
        return timezone.now() + timedelta(seconds=int(value))
    try:
        return parsedate_to_datetime(value)
    except ValueError:
        return None


def _error_text(response: httpx.Response) -> str:
    """The `error` of a JSON answer; empty for anything else."""
    try:
        body = msgspec.json.decode(response.read())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return str(body.get("error", "")) if isinstance(body, dict) else ""


def _not_json(response: httpx.Response) -> UpstreamError:
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    return UpstreamError(
        State.FAULTY,
        _("the server answered %(kind)s where CPA answers JSON; does the URL lead to CPA?"),
        {"kind": kind or "?"},
    )


def _broken(error: httpx.HTTPError) -> UpstreamError:
    reason = (
        _("no connection (%(reason)s); is CPA running, and the URL right?")
        if isinstance(error, httpx.ConnectError)
        else _("the connection broke (%(reason)s)")
    )
    return UpstreamError(State.UNREACHABLE, reason, {"reason": str(error) or type(error).__name__})
