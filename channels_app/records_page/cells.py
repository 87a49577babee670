"""The cells of the list of requests, put together here: a template takes several times as long, and a page has thousands."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from html import escape
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from channels_app.address import Address
from channels_app.filters import UNKNOWN_CHANNEL
from channels_app.records_page.menus import Menus
from channels_app.templatetags import formats as written
from channels_app.templatetags.marks import icon, marker
from usage.models import Source, UsageRecord

if TYPE_CHECKING:
    from channels_app.records_page.page import RecordRow

_Write = Callable[["Cells", "RecordRow"], object]


class Cells:
    """Writes rows of a list with this address. What many of them name is written once."""

    def __init__(self, address: Address, menus: Menus, columns: list[str]) -> None:
        self._address, self._menus = address, menus
        self._known: dict[Hashable, str] = {}
        self._columns = [(_start(name), self._WRITERS[name]) for name in columns]

    def of(self, line: RecordRow) -> SafeString:
        return mark_safe("".join(f"{start}{write(self, line)}</td>" for start, write in self._columns))  # noqa: S308

    def _once(self, key: Hashable, write: Callable[[], str]) -> str:
        if key not in self._known:
            self._known[key] = write()
        return self._known[key]

    def _status(self, line: RecordRow) -> str:
        pill = status_pill(line.row)
        if not line.attempt:
            return pill
        counts = {"n": line.attempt.number, "all": line.attempt.attempts}
        title = _("Attempt %(n)s of %(all)s of one client request") % counts
        return f'{pill} <span class="pill" title="{escape(title)}">{_attempts(line)}</span>'

    def _server(self, line: RecordRow) -> str:
        server = line.row.source.instance
        return self._once(("server", server.pk), lambda: self._link("server", server.slug, server.name, css_class=""))

    def _channel(self, line: RecordRow) -> str:
        source = line.row.source
        return self._once(("channel", source.pk), lambda: self._channel_of(source))

    def _channel_of(self, source: Source) -> str:
        """The channel, and the account below it; of what is unknown, what the server said."""
        channel, account = source.known_channel, source.account
        name = channel.name if channel else _("Unknown channel")
        value = channel.slug if channel else UNKNOWN_CHANNEL
        mark = marker(channel.color_slot if channel else None, channel.shape if channel else "")
        link = self._link("channel", value, name, _("Only this"))
        first = f'<span class="line">{mark}{link}{self._menus.button(("channel", value), name)}</span>'
        if account is None:
            return f'{first}<span class="name second" title="{escape(str(source))}">{escape(str(source))}</span>'
        name, value = str(account), str(account.pk)
        link = self._link("account", value, name, name, css_class="name second")
        return f'{first}<span class="line">{link}{self._menus.button(("account", value), name, account.pk)}</span>'

    def _model(self, line: RecordRow) -> str:
        row = line.row
        return self._once(("model", row.model_id, row.alias_id), lambda: self._model_of(row))

    def _model_of(self, row: UsageRecord) -> str:
        name = row.model.name
        link, button = self._link("model", name, name, name), self._menus.button(("model", name), name, row.model_id)
        first = f'<span class="line">{link}{button}</span>'
        if row.alias_id == row.model_id:
            return first
        title = _("%(label)s: %(text)s") % {"label": _("Requested as"), "text": row.alias.name}
        return f'{first}<span class="name second" title="{escape(title)}">← {escape(row.alias.name)}</span>'

    def _key(self, line: RecordRow) -> str:
        return self._once(("key", line.key_value), lambda: self._key_of(line))

    def _key_of(self, line: RecordRow) -> str:
        name, value = str(line.row.api_key or _("No key")), str(line.key_value)
        return f'<span class="line">{self._link("key", value, name)}{self._menus.button(("key", value), name)}</span>'

    def _link(self, by: str, value: str, name: str, title: str = "", css_class: str = "name") -> str:
        """The same list of these alone."""
        css = f' class="{css_class}"' if css_class else ""
        words = f' title="{escape(title)}"' if title else ""
        return f'<a{css} href="{escape(str(self._address.setting(by, value)))}" data-swap{words}>{escape(name)}</a>'

    _WRITERS: ClassVar[dict[str, _Write]] = {
        "status": _status,
        "server": _server,
        "channel": _channel,
        "model": _model,
        "key": _key,
        "input": lambda self, line: written.tokens(line.row.input_tokens),
        "cached": lambda self, line: written.tokens(line.row.cache_read),
        "written": lambda self, line: written.tokens(line.row.cache_write),
        "output": lambda self, line: written.tokens(line.row.output_tokens),
        "reasoning": lambda self, line: written.tokens(line.row.reasoning),
        "total": lambda self, line: written.tokens(line.row.total_tokens),
        "hit": lambda self, line: written.percent(line.hit_rate),
        "cost": lambda self, line: cost(line),
        "ttft": lambda self, line: written.milliseconds(line.row.ttft_ms or None),
        "latency": lambda self, line: written.milliseconds(line.row.latency_ms),
        "speed": lambda self, line: written.rate(line.speed),
        "endpoint": lambda self, line: _words(line.row.traits.endpoint),
        "effort": lambda self, line: _words(line.row.traits.reasoning_effort),
        "tier": lambda self, line: _tier(line.row),
        "ip": lambda self, line: _words(line.row.client.shown_ip if line.row.client else ""),
        "agent": lambda self, line: _agent(line.row),
        "request": lambda self, line: f"<code>{_words(line.row.request_id)}</code>",
        "attempts": lambda self, line: _attempts(line),
    }


# What a column is called in the style sheet, besides its own name.
_CLASSES = {
    "status": "words status",
    "server": "words server-name",
    "channel": "words channel-name",
    "model": "words model-name",
    "key": "words key-name",
    **dict.fromkeys(("endpoint", "effort", "tier", "ip", "agent", "request"), "words"),
    **{name: name for name in ("input", "cached", "output", "reasoning", "total", "cost", "ttft", "latency", "speed")},
}


def _start(name: str) -> str:
    """How the cells of a column begin; those that a phone shows have their label."""
    labels = {"total": _("Tokens"), "cost": _("Est. cost"), "latency": _("Latency")}
    label = f' data-label="{escape(labels[name])}"' if name in labels else ""
    css = f' class="{_CLASSES[name]}"' if name in _CLASSES else ""
    return f"<td{css}{label}>"


def status_pill(row: UsageRecord) -> SafeString:
    """The status code, and by its icon whether it failed."""
    if row.failed:
        return mark_safe(f'<span class="pill fail">{icon("fail")}{row.status_code or escape(_("failed"))}</span>')  # noqa: S308
    return mark_safe(f'<span class="pill ok">{icon("ok")}{row.status_code or 200}</span>')  # noqa: S308


def cost(line: RecordRow) -> SafeString:
    """What a record costs; at other prices than those that it was booked with, these too where they differ."""
    told: str = written.money(line.row.cost_nanousd)
    if line.is_unpriced:
        address = f"{reverse('prices')}?q={quote(line.row.model.name)}"
        title = escape(_("No price is known for its models"))
        told = f'<a class="unpriced" href="{escape(address)}" title="{title}">{escape(_("unpriced"))}</a>'
    if not line.has_another_cost:
        return mark_safe(told)  # noqa: S308
    recorded = line.booked.cost_nanousd
    words = (
        escape(_("recorded: unpriced"))
        if recorded is None
        else escape(_("recorded: %(amount)s")) % {"amount": written.money(recorded)}
    )
    return mark_safe(f'{told} <span class="second">{words}</span>')  # noqa: S308


def _attempts(line: RecordRow) -> str:
    return f"{line.attempt.number}/{line.attempt.attempts}" if line.attempt else "1"


def _words(text: str | None) -> str:
    return escape(text) if text else written.no_data()


def _tier(row: UsageRecord) -> str:
    asked, billed = row.traits.service_tier, row.traits.billed_tier
    return f"{_words(asked)} / {escape(billed)}" if billed else _words(asked)


def _agent(row: UsageRecord) -> str:
    agent = row.client.user_agent if row.client else ""
    return f'<span class="name" title="{escape(agent)}">{_words(agent)}</span>'
