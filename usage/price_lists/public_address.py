"""Which addresses a page may ask for a price list: none of the server's own network.

Whoever has the command line can reach that network anyhow; whoever has the pages cannot, and shall not by way of us.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.request import getproxies, proxy_bypass

from django.utils.translation import gettext as _

from usage.price_lists.listed import BadPriceList


def resolve(host: str, port: int) -> str:
    """Return the address at which `host` is to be asked, so that a second look-up cannot say otherwise.

    Raises BadPriceList where one of its addresses is not of the public internet, OSError where it has none. Behind a proxy,
    which finds hosts itself and has rules of its own, it is the name.
    """
    if _is_reached_by_proxy(host):
        return host
    addresses = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in addresses:
        if not _is_public(address):
            problem = _(
                "%(host)s is %(address)s, which is not on the public internet: this page asks no other addresses. "
                "manage.py sync_prices --url does, or give the list as a file"
            )
            raise BadPriceList(problem % {"host": host, "address": address})
    return addresses[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_global and not address.is_multicast


def _is_reached_by_proxy(host: str) -> bool:
    proxies = getproxies()
    return bool(proxies.get("https") or proxies.get("all")) and not proxy_bypass(host)
