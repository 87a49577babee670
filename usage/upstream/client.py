"""One connection to the management API of one CPA server (contract A), with an answer in words for each way it fails."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import httpx
import msgspec
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from usage.models import Instance
from usage.upstream.refusals import UpstreamError, forbidden, key_rejected

MANAGEMENT = "/v0/management"
# A poll may carry megabytes from a busy server; one that hangs longer than CPA keeps its records has lost some.
_TIMEOUT = httpx.Timeout(60, connect=5)
# CPA never closes an idle connection, so a new one where the old was not idle for long tells of a restart.
_LIMITS = httpx.Limits(keepalive_expiry=600)
_HALF_A_SECOND = timedelta(seconds=0.5)
_GATEWAY_STATUSES = {429, 502, 503, 504}

State = Instance.State


class ManagementClient:
    """Asks one server; a context manager. Every request is sent once: a pop that is repeated loses what it popped.

    `version` is what the server last called itself, `clock_offset` its clock minus ours (whole seconds, by the Date of
    its last answer; None before one), `connections` how many were opened so far. Methods raise UpstreamError.
    """

    def __init__(self, instance: Instance) -> None:
        self.version = ""
        self.clock_offset: timedelta | None = None
        self.connections = 0
        self._stream: Any = None  # httpcore.NetworkStream of the last answer
        self._http = httpx.Client(
            base_url=instance.base_url + MANAGEMENT,
            headers={
                "Authorization": f"Bearer {instance.management_key}",
                # CPA does not compress; a proxy before it that does only costs time.
                "Accept-Encoding": "identity",
                "User-Agent": "cpa-meter",
            },
            timeout=_TIMEOUT,
            limits=_LIMITS,
            verify=tls_context(instance.verify_tls),
            follow_redirects=False,  # the key is for this address only
        )

    def __enter__(self) -> ManagementClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    @property
    def is_hung_up(self) -> bool:
        """Whether the server ended the connection of the last answer, or did not leave it open in the first place."""
        return self._stream is not None and bool(self._stream.get_extra_info("is_readable"))

    def get_json(self, path: str) -> Any:
        """Return the JSON at `path`, or None where this server has no such endpoint (404)."""
        with self.stream(path) as response:
            if response.status_code == 404:
                response.read()  # else we close the connection, and the next one looks like a restart
                return None
            require_json(response)
            body = response.read()
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _not_json(response) from None

    def status_of(self, path: str) -> int:
        """Return the status of `path`, of what it would give no more than begins to arrive."""
        with self.stream(path) as response:
            if response.status_code != 200:
                response.read()  # as above
            return response.status_code

    def put_json(self, path: str, body: Any) -> int:
        """Send `body` to `path`, once; return the status where it is none that every request may meet."""
        with self._send("PUT", path, json=body) as response:
            response.read()
            return response.status_code

    @contextmanager
    def stream(self, path: str) -> Iterator[httpx.Response]:
        """Yield the answer to GET `path`, its body still on the way, after what every answer may be was checked."""
        with self._send("GET", path) as response:
            yield response

    @contextmanager
    def _send(self, method: str, path: str, **body: Any) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(method, path, **body) as response:
                self._look_at(response)
                _refuse_refusals(response)
                yield response
        except httpx.TimeoutException as error:
            raise UpstreamError(
                State.UNREACHABLE,
                _("no answer in time; is the server overloaded?"),
                was_sent=not isinstance(error, httpx.ConnectTimeout),
            ) from None
        except httpx.HTTPError as error:
            raise _broken(error) from None

    def _look_at(self, response: httpx.Response) -> None:
        self.version = response.headers.get("X-CPA-VERSION", self.version)
        if date := _date(response.headers.get("Date", "")):
            self.clock_offset = date + _HALF_A_SECOND - timezone.now()  # a Date is cut to whole seconds
        stream = response.extensions.get("network_stream")
        if stream is not self._stream:
            self._stream = stream
            self.connections += 1


@lru_cache(maxsize=2)
def tls_context(verify: bool) -> ssl.SSLContext:
    """Return the context of all HTTP connections: it holds every root certificate, so one serves all servers."""
    return httpx.create_ssl_context(verify=verify)


def _refuse_refusals(response: httpx.Response) -> None:
    """Raise for the answers that end every request: refused key, ban, remote access off, redirect, gateway errors."""
    status = response.status_code
    if status == 401:
        raise key_rejected()
    if status == 403:
        raise forbidden(_error_text(response)) or UpstreamError(
            State.FAULTY, _("the server answered 403 in words that are not CPA's; is a proxy in front?")
        )
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
            was_sent=status in (502, 504),
        )


def require_json(response: httpx.Response) -> None:
    """Raise UpstreamError unless the answer, its body still unread, is what CPA sends when all is well."""
    if response.status_code != 200:
        raise UpstreamError(State.FAULTY, _("CPA answered %(status)s"), {"status": str(response.status_code)})
    if "json" not in response.headers.get("Content-Type", ""):
        raise _not_json(response)


def _retry_after(response: httpx.Response) -> datetime | None:
    """Read Retry-After, which is seconds or a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "")
    return timezone.now() + timedelta(seconds=int(value)) if value.isdigit() else _date(value)


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


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
    is_refused = isinstance(error, httpx.ConnectError)
    reason = (
        _("no connection (%(reason)s); is CPA running, and the URL right?")
        if is_refused
        else _("the connection broke (%(reason)s)")
    )
    params = {"reason": str(error) or type(error).__name__}
    return UpstreamError(State.UNREACHABLE, reason, params, was_sent=not is_refused)
