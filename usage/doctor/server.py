"""One CPA server, asked now: can it be reached, does it admit us, does it record (contract A, C, I).

No record is taken. A key that it refuses is noted, as the collector does, so that it is sent once in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from usage import formats
from usage.doctor.diagnosis import FAIL, INFO, OK, WARN, Diagnosis
from usage.doctor.versions import can_be_subscribed_to
from usage.models import Instance
from usage.secrets import UnreadableSecret, digest
from usage.upstream.client import ManagementClient
from usage.upstream.probe import Findings, fetch_retention, probe
from usage.upstream.refusals import UpstreamError

_CLOCKS_MAY_DIFFER = timedelta(seconds=30)
_LOCAL = ("127.0.0.1", "::1", "localhost")

Mode, Source, State = Instance.Mode, Instance.Source, Instance.State


def look(instance: Instance) -> Iterator[Diagnosis]:
    unusable = _unusable_address(instance) or _unusable_key(instance)
    if unusable:
        yield unusable
        return
    try:
        with ManagementClient(instance) as client:
            findings = probe(client)
            yield from _admitted(instance)
            yield from _records(instance, findings)
            yield from _retention(findings, client)
            yield from _clock(client)
    except UpstreamError as error:
        if error.state is State.KEY_REJECTED:
            _note_refusal(instance, error)
        yield _in_words(instance, error)


def _unusable_address(instance: Instance) -> Diagnosis | None:
    address = urlsplit(instance.base_url)
    if address.scheme in ("http", "https") and address.hostname:
        return None
    text = _("%(url)s is no URL of a server.") % {"url": instance.base_url}
    where = "CPA_BASE_URL" if _is_of_environment(instance) else _page(instance)
    mend = _("Enter where CPA listens, such as http://127.0.0.1:8317: %(where)s.") % {"where": where}
    return Diagnosis(FAIL, "address", text, mend)


def _unusable_key(instance: Instance) -> Diagnosis | None:
    """Why the key must not even be sent: each refusal counts towards a ban."""
    try:
        key = instance.management_key
    except UnreadableSecret as error:
        mend = _("Put the former SECRET_KEY into SECRET_KEY_FALLBACKS, or enter the management key again: %(where)s.")
        return Diagnosis(FAIL, "key", _(str(error)), mend % {"where": _where(instance)})
    if instance.rejected_key and bytes(instance.rejected_key) == digest(key):
        text = _("CPA refused this management key; it is not sent again, since five refusals ban this machine.")
        return Diagnosis(FAIL, "key", text, _enter_the_key(instance))
    if not key or not key.isascii() or not key.isprintable():
        return Diagnosis(
            FAIL, "key", _("The management key is empty, or cannot stand in a header."), _enter_the_key(instance)
        )
    return None


def _admitted(instance: Instance) -> Iterator[Diagnosis]:
    address = urlsplit(instance.base_url)
    host = address.netloc.rpartition("@")[2]
    yield Diagnosis(OK, "reachable", _("CPA answers at %(host)s.") % {"host": host})
    yield Diagnosis(OK, "key", _("The management key is right."))
    if address.scheme == "http" and address.hostname not in _LOCAL:
        text = _("The management key travels unencrypted to %(host)s.") % {"host": host}
        mend = _("Where others can listen on the way: let CPA use TLS (tls.enable), and a URL with https.")
        yield Diagnosis(INFO, "tls", text, mend)
    elif address.scheme == "https" and not instance.verify_tls:
        text = _("The certificate of %(host)s is not checked: another machine could pass for it.") % {"host": host}
        mend = _("Give it a certificate that this machine trusts (SSL_CERT_FILE), then check it again: %(where)s.")
        yield Diagnosis(WARN, "tls", text, mend % {"where": _page(instance)})
    elif address.scheme == "https":
        yield Diagnosis(OK, "tls", _("The certificate of %(host)s is trusted.") % {"host": host})


def _records(instance: Instance, findings: Findings) -> Iterator[Diagnosis]:
    version = findings.version or _("of a version before 6.3.36")
    yield Diagnosis(OK, "version", _("It is CLIProxyAPI %(version)s.") % {"version": version})
    ways = _ways(findings)
    text = _("Its records can be had by: %(ways)s.") % {"ways": " / ".join(ways.values())}
    if instance.mode == Mode.AUTO or instance.mode in ways:
        yield Diagnosis(OK, "way", text)
    else:
        text = (
            _("It lacks the collection mode that is set (%(mode)s).") % {"mode": instance.get_mode_display()}
            + " "
            + text
        )
        yield Diagnosis(FAIL, "way", text, _("Set the mode to Automatic: %(where)s.") % {"where": _page(instance)})
    if findings.statistics_enabled:
        yield Diagnosis(OK, "statistics", _("Usage statistics are on."))
    else:
        text = _("Usage statistics are off in CPA. Nothing can be collected.")
        mend = _("In CPA's config.yaml, at once in force: %(line)s") % {"line": "usage-statistics-enabled: true"}
        yield Diagnosis(FAIL, "statistics", text, mend)


def _ways(findings: Findings) -> dict[str, str]:
    """Return the ways to its records, by mode; whether it can be subscribed to follows from its version."""
    way = Instance.Way
    if findings.source == Source.LEGACY:
        return {Mode.LEGACY: str(way.SNAPSHOT.label)}
    if findings.source == Source.RESP:
        return {Mode.QUEUE: str(way.RESP_QUEUE.label)}
    ways: dict[str, str] = {Mode.QUEUE: str(way.HTTP_QUEUE.label)}
    if can_be_subscribed_to(findings.version):
        ways[Mode.SUBSCRIBE] = str(way.SUBSCRIPTION.label)
    return ways


def _retention(findings: Findings, client: ManagementClient) -> Iterator[Diagnosis]:
    if findings.source == Source.LEGACY:
        return  # a snapshot is kept until the server is restarted
    seconds = fetch_retention(client)
    facts = {"kept": seconds, "interval": f"{settings.POLL_SECONDS:g}"}
    if seconds >= 3 * settings.POLL_SECONDS:
        yield Diagnosis(OK, "retention", _("CPA keeps records for %(kept)s s; we read every %(interval)s s.") % facts)
        return
    text = _("CPA keeps records only %(kept)s s, less than three of our intervals of %(interval)s s.") % facts
    mend = _("In CPA's config.yaml: %(line)s; or a shorter POLL_SECONDS here.") % {
        "line": "redis-usage-queue-retention-seconds: 3600"
    }
    yield Diagnosis(WARN, "retention", text, mend)


def _clock(client: ManagementClient) -> Iterator[Diagnosis]:
    offset = client.clock_offset
    if offset is None:
        return
    if abs(offset) <= _CLOCKS_MAY_DIFFER:
        yield Diagnosis(OK, "clock", _("Its clock and ours agree."))
        return
    length = formats.duration(abs(offset))
    text = (
        _("Its clock is %(length)s ahead of ours.")
        if offset > timedelta()
        else _("Its clock is %(length)s behind ours.")
    )
    mend = _(
        "Let both machines follow a time server (`timedatectl set-ntp true`): records carry the time of CPA's clock."
    )
    yield Diagnosis(WARN, "clock", text % {"length": length}, mend)


def _note_refusal(instance: Instance, error: UpstreamError) -> None:
    refused = digest(instance.management_key)
    instance.enter(error.state, reason=error.reason, reason_params=error.params, rejected_key=refused)


def _in_words(instance: Instance, error: UpstreamError) -> Diagnosis:
    check, mend = {
        State.KEY_REJECTED: ("key", _enter_the_key(instance)),
        State.BANNED: ("ban", _("Wait, or restart CPA. Then look for what sends a wrong key from this machine.")),
        State.REMOTE_OFF: ("remote", _("In CPA's config.yaml, under remote-management: allow-remote: true")),
        State.MANAGEMENT_OFF: (
            "management",
            _("In CPA's config.yaml, under remote-management: secret-key: a key of your choice"),
        ),
        State.UNREACHABLE: _unreachable(instance, error),
    }.get(
        error.state, ("answer", _("Open %(url)s in a browser: CPA says its name there.") % {"url": instance.base_url})
    )
    return Diagnosis(FAIL, check, str(error), mend)


def _unreachable(instance: Instance, error: UpstreamError) -> tuple[str, str]:
    reason = error.params.get("reason", "")
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        mend = _("Have this machine trust it (SSL_CERT_FILE), or switch the check of the certificate off: %(where)s.")
        return "tls", mend % {"where": _page(instance)}
    if "[SSL" in reason:
        return "tls", _("Does CPA use TLS at this port? If not, its URL begins with http://.")
    mend = _("Try from this machine: curl -i %(url)s; a firewall, or a container's own localhost, may be in the way.")
    return "reachable", mend % {"url": instance.base_url}


def _enter_the_key(instance: Instance) -> str:
    text = _("Enter remote-management.secret-key of CPA's config.yaml, as it was before it was hashed: %(where)s.")
    return text % {"where": _where(instance)}


def _where(instance: Instance) -> str:
    return "CPA_MANAGEMENT_KEY" if _is_of_environment(instance) else _page(instance)


def _is_of_environment(instance: Instance) -> bool:
    return bool(settings.CPA_BASE_URL) and instance.base_url == settings.CPA_BASE_URL.rstrip("/")


def _page(instance: Instance) -> str:
    return reverse("setup_server", args=[instance.pk])
