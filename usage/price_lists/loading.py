"""The bytes of a price list, from a file or an address: bounded in size and time, and refused in words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
from django.utils.translation import gettext as _

from usage import exact_json
from usage.price_lists.listed import BadPriceList
from usage.price_lists.public_address import resolve

MOST_BYTES = 32 * 2**20
_SECONDS = 60.0
_CONNECT_SECONDS, _SILENT_SECONDS = 10.0, 15.0
_HTTPS_PORT = 443
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def from_file(path: Path) -> object:
    """Read at most one byte more than is allowed: a pipe does not tell its size."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadPriceList(_("%(name)s cannot be read: %(reason)s") % {"name": path, "reason": reason}) from None
    return parsed(content, str(path))


def from_url(url: str, *, loopback: bool = False, public: bool = False, seconds: float = _SECONDS) -> object:
    """`loopback` allows http to this machine, `public` nothing but https to the public internet.

    Redirects are not followed: nobody has chosen where they lead.
    """
    address = _address(url, loopback=loopback)
    try:
        asked = resolve(address.host, address.port or _HTTPS_PORT) if public else address.host
        return parsed(_download(address, asked, seconds), address.host)
    except httpx.TimeoutException:
        reason = _("no answer in time")
    except (httpx.HTTPError, OSError) as error:
        reason = str(error) or type(error).__name__
    problem = _(
        "%(host)s cannot be read: %(reason)s (given %(connect)s s to connect, %(seconds)s s in all). Where this machine "
        "reaches the internet by a proxy, set HTTPS_PROXY; or download the list elsewhere and give it as a file"
    )
    limits = {"connect": f"{_CONNECT_SECONDS:g}", "seconds": f"{seconds:g}"}
    raise BadPriceList(problem % {"host": address.host, "reason": reason, **limits}) from None


def parsed(content: bytes, name: str) -> object:
    """Return what the JSON in `content` says, numbers with a point as Decimal: no price is ever a float."""
    if len(content) > MOST_BYTES:
        most = {"name": name, "most": MOST_BYTES // 2**20}
        raise BadPriceList(_("%(name)s has more than %(most)s MB; a price list has a few") % most)
    try:
        return exact_json.loads(content.decode("utf-8-sig"))
    except ValueError as error:
        problem = _("%(name)s is not the JSON of a price list, or only a part of it: %(reason)s")
        raise BadPriceList(problem % {"name": name, "reason": error}) from None


def _address(url: str, *, loopback: bool) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL()
    allowed = {"https", "http"} if loopback and address.host in _LOOPBACK else {"https"}
    if address.scheme not in allowed or not address.host:
        raise BadPriceList(_("%(url)s is no address that begins with https://") % {"url": url[:200]})
    return address


def _download(address: httpx.URL, asked: str, seconds: float) -> bytes:
    """The time between two parts is bounded by the timeout, that of all of them here.

    `asked` is the host or the one of its addresses to connect to, which must prove to be the host.
    """
    until, content = time.monotonic() + seconds, bytearray()
    timeout = httpx.Timeout(min(seconds, _SILENT_SECONDS), connect=min(seconds, _CONNECT_SECONDS))
    place: dict[str, Any] = {
        "url": address.copy_with(host=asked),
        "headers": {"Host": address.netloc.decode()},
        "extensions": {"sni_hostname": address.raw_host.decode()},
    }
    with httpx.Client(timeout=timeout, follow_redirects=False) as client, client.stream("GET", **place) as response:
        _refuse_status(response, address)
        for part in response.iter_bytes():
            content += part
            if len(content) > MOST_BYTES:
                break
            if time.monotonic() > until:
                raise httpx.ReadTimeout("")
    return bytes(content)


def _refuse_status(response: httpx.Response, address: httpx.URL) -> None:
    if response.is_redirect:
        target = response.headers.get("Location", "")[:200]
        problem = _("%(host)s redirects to %(target)s, which is not followed; give that address if you trust it")
        raise BadPriceList(problem % {"host": address.host, "target": target})
    if not response.is_success:
        status = {"host": address.host, "status": response.status_code}
        raise BadPriceList(_("%(host)s answered status %(status)s instead of a price list") % status)
