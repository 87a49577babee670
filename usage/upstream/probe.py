"""What a server is and how its records can be had, found out without losing one (contract I, probe order)."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_noop as _

from usage.models import Instance
from usage.upstream.client import ManagementClient
from usage.upstream.refusals import UpstreamError, management_off

Source = Instance.Source
DEFAULT_RETENTION_SECONDS = 60
MAX_RETENTION_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Findings:
    """The version as the server tells it (empty before v6.3.36), where records come from, and whether it makes any."""

    version: str
    source: Instance.Source
    statistics_enabled: bool


def probe(client: ManagementClient) -> Findings:
    """Look at a server: at most one refused login, and no record is taken. Raises UpstreamError."""
    enabled = is_recording(client)
    if enabled is None:
        return _probe_without_flag(client)
    return Findings(client.version, _find_source(client), enabled)


def is_recording(client: ManagementClient) -> bool | None:
    """Whether usage statistics are on; None where there is no such flag. Raises UpstreamError."""
    flag = client.get_json("/usage-statistics-enabled")
    if flag is None:
        return None
    enabled = flag.get("usage-statistics-enabled") if isinstance(flag, dict) else None
    if not isinstance(enabled, bool):
        raise UpstreamError(Instance.State.FAULTY, _("the answer is not CPA's; does the URL lead to CPA?"))
    return enabled


def fetch_retention(client: ManagementClient) -> int:
    """Return for how many seconds the server keeps a record (contract C). Raises UpstreamError."""
    config = client.get_json("/config")
    seconds = config.get("redis-usage-queue-retention-seconds") if isinstance(config, dict) else None
    if not isinstance(seconds, int) or seconds <= 0:
        return DEFAULT_RETENTION_SECONDS
    return min(seconds, MAX_RETENTION_SECONDS)


def _probe_without_flag(client: ManagementClient) -> Findings:
    """Before v6.0.5 there was no flag: statistics were always on. Else 404 says that there is no management API."""
    if client.status_of("/usage") != 200:
        raise management_off()
    return Findings(client.version, Source.LEGACY, statistics_enabled=True)


def _find_source(client: ManagementClient) -> Instance.Source:
    # A count of 0 is refused before anything is popped: 400 says that the queue is there.
    if client.status_of("/usage-queue?count=0") == 400:
        return Source.QUEUE
    if client.status_of("/usage") == 200:
        return Source.LEGACY
    return Source.RESP
