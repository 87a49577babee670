"""Switching usage statistics on in a CPA server's own configuration (contract C)."""

from __future__ import annotations

from django.utils.translation import gettext as _

from usage.collection import check
from usage.models import Instance
from usage.upstream.client import ManagementClient
from usage.upstream.refusals import UpstreamError

PATH = "/usage-statistics-enabled"
BODY = {"value": True}


def switch_on(instance: Instance) -> str:
    """Switch usage statistics on; return why that failed, in words, or nothing.

    The server is checked first: a key that it refuses is sent once, and not for this. The change is sent once.
    """
    if not check(instance):
        return instance.state_text
    try:
        with ManagementClient(instance) as client:
            status = client.put_json(PATH, BODY)
    except UpstreamError as error:
        return str(error)
    if status != 200:
        return _refusal(status)
    check(instance)
    return ""


def _refusal(status: int) -> str:
    if status == 500:
        return _("CPA cannot write its config.yaml; set usage-statistics-enabled: true there by hand.")
    return _("CPA answered %(status)s; set usage-statistics-enabled: true in its config.yaml by hand.") % {
        "status": status
    }
