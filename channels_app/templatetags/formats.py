"""Numbers in templates: short in the text, exact in `title` and `data-value`, a labelled dash where there is none."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from html import escape

from django import template
from django.forms import BoundField
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from channels_app.stats import AccountRow, ModelRow, Usage
from channels_app.stats.confidence import Confidence
from channels_app.templatetags.marks import bar, icon
from usage import formats
from usage.models import Account, Channel

register = template.Library()

# Success is judged from this many requests on (`ui.md` 9.3).
FEW_REQUESTS = 20


# Of numbers a page has hundreds: put together here, for which `format_html` takes three times as long.


def no_data() -> SafeString:
    words = escape(_("no data"))
    return mark_safe(f'<span class="none" role="img" aria-label="{words}">{formats.NO_DATA}</span>')  # noqa: S308


def _number(text: str, value: int, exact: str) -> SafeString:
    title = "" if text == exact else f' title="{escape(exact)}"'
    return mark_safe(f'<span data-value="{value}"{title}>{escape(text)}</span>')  # noqa: S308


def _text(text: str) -> SafeString:
    return mark_safe(escape(text))  # noqa: S308


@register.filter
def count(value: int | None) -> SafeString:
    return no_data() if value is None else _number(formats.count(value), value, formats.grouped(value))


@register.filter
def exactly(value: int) -> str:
    """All digits, where a figure is to be added up."""
    return formats.grouped(value)


@register.filter
def tokens(value: int | None) -> SafeString:
    return no_data() if value is None else _number(formats.compact(value), value, formats.grouped(value))


@register.filter
def money(nanousd: int | None) -> SafeString:
    return no_data() if nanousd is None else _number(formats.money(nanousd), nanousd, formats.exact_money(nanousd))


@register.filter
def percent(ratio: float | None) -> SafeString:
    return no_data() if ratio is None else _text(formats.percent(ratio))


@register.filter
def duration(span: timedelta | None) -> SafeString:
    return no_data() if span is None else _text(formats.duration(span))


@register.filter
def countdown(span: timedelta) -> SafeString:
    """A wait of whole seconds that core.js counts down; who listens hears it once."""
    minutes = _("%(minutes)s m %(seconds)s s") % {"minutes": "#", "seconds": "$"}
    seconds, short = span // timedelta(seconds=1), _("%(seconds)s s") % {"seconds": "$"}
    text = formats.duration(span) if seconds >= 60 else short.replace("$", str(seconds))
    ticking = '<span aria-hidden="true" data-seconds="{}" data-minutes="{}" data-short="{}">{}</span>'
    return format_html('<span class="sr-only">{}</span>' + ticking, text, seconds, minutes, short, text)


@register.filter
def minute(moment: datetime | None) -> SafeString:
    """A time in the zone of the page; its `title` is exact."""
    return (
        no_data()
        if moment is None
        else _time(moment, formats.minute(moment, timezone.get_current_timezone(), timezone.now()))
    )


@register.filter
def day(moment: datetime) -> SafeString:
    """The day of a time, with its year where it is not the current one."""
    return _time(moment, formats.minute(moment, timezone.get_current_timezone(), timezone.now())[: -len(" 18:12")])


@register.filter
def second(moment: datetime) -> SafeString:
    """The same to the second."""
    zone = timezone.get_current_timezone()
    return _time(moment, f"{formats.minute(moment, zone, timezone.now())}:{moment.astimezone(zone):%S}")


@register.filter
def milliseconds(value: int | None) -> SafeString:
    return duration(None if value is None else timedelta(milliseconds=value))


@register.filter
def rate(value: float | None) -> SafeString:
    """Tokens a second and the like, with one decimal."""
    return no_data() if value is None else _text(f"{value:,.1f}")


@register.filter
def ago(moment: datetime | None) -> SafeString:
    """How long ago a time was; its `title` is exact."""
    return no_data() if moment is None else _time(moment, formats.ago(moment, timezone.now()))


def _time(moment: datetime, text: str) -> SafeString:
    exact = moment.astimezone(timezone.get_current_timezone()).isoformat(timespec="seconds")
    return format_html('<time datetime="{0}" title="{0}">{1}</time>', exact, text)


@register.filter
def until(moment: datetime, now: datetime) -> SafeString:
    """How long it is from `now` to a later time."""
    return duration(moment - now)


@register.filter
def dash(text: str | None) -> str:
    return text or no_data()


@register.filter
def among(value: object, collection: Collection[object]) -> bool:
    return value in collection


@register.simple_tag
def field_input(field: BoundField, autocomplete: str = "") -> SafeString:
    """A form field's input, tied to its error; Django itself ties it to the help text."""
    return field.as_widget(attrs={"autocomplete": autocomplete} if autocomplete else None)


@register.inclusion_tag("channels/_cost.html")
def cost(usage: Usage, models: Iterable[ModelRow] | None = None, key: str = "") -> dict[str, object]:
    """Est. cost: a sum, a lower bound with its coverage, or the word `unpriced`; never a made-up zero.

    With the `models` of which it is the sum, and the `key` of its row, a badge tells how far it can be trusted.
    """
    confidence = Confidence(usage, [] if models is None else models)
    nothing_to_price = usage.cost is None and not usage.total_tokens
    has_badge = models is not None and bool(confidence.level)
    return {
        "usage": usage,
        "amount": money(None) if nothing_to_price else _amount(usage, confidence.level, has_badge=has_badge),
        "confidence": confidence if has_badge else None,
        "key": key,
        "is_icon": confidence.level == "sure" or (confidence.level == "partial" and not key.endswith("total")),
    }


def _amount(usage: Usage, level: str, *, has_badge: bool) -> SafeString:
    """A badge says for itself what it is worth."""
    if level == "unpriced":
        return mark_safe("") if has_badge else _unpriced()
    if level != "partial":
        return money(usage.cost)
    title = _("Prices cover %(coverage)s of the tokens") % {"coverage": formats.percent(usage.price_coverage or 0)}
    sign = "" if has_badge else icon("warn")
    return mark_safe(f'<span class="partial" title="{escape(title)}">{sign}≥ {money(usage.cost)}</span>')  # noqa: S308


def _unpriced() -> SafeString:
    return format_html(
        '<a class="unpriced" href="{}" title="{}">{}</a>',
        reverse("prices"), _("No price is known for its models"), _("unpriced"),
    )  # fmt: skip


@register.simple_tag
def success(usage: Usage) -> SafeString:
    rate, level = usage.success_rate, success_level(usage)
    if rate is None:
        return no_data()
    counts = {"ok": formats.grouped(usage.succeeded), "failed": formats.grouped(usage.failed)}
    if usage.requests < FEW_REQUESTS:
        title = _("%(ok)s succeeded, %(failed)s failed; few requests")
    else:
        title = _("%(ok)s succeeded, %(failed)s failed")
    shown = f"{icon(level) if level in ('warn', 'fail') else ''}{percent(rate)}{bar(rate, 'level')}"
    words = escape(title % counts)
    return mark_safe(f'<span class="success-rate {level}" title="{words}">{shown}</span>')  # noqa: S308


def success_level(usage: Usage) -> str:
    """Return `ok`, `warn`, `fail`, or nothing where the requests are too few to judge."""
    rate = usage.success_rate
    if rate is None or usage.requests < FEW_REQUESTS:
        return ""
    if rate < 0.8:
        return "fail"
    return "warn" if rate < 0.95 else "ok"


@register.simple_tag
def kind_name(kind: str) -> str:
    """How a channel signs in upstream."""
    return str(dict(Channel.Kind.choices).get(kind, kind))


@register.inclusion_tag("channels/_pill.html")
def state_pill(account: AccountRow) -> dict[str, object]:
    """An account's state, where it is not simply active."""
    if account.state in ("", Account.State.ACTIVE):
        return {}
    text = str(Account.State(account.state).label)
    if account.state == Account.State.COOLING and account.retry_at:
        text = _("Cooling down until %(time)s") % {
            "time": formats.minute(account.retry_at, timezone.get_current_timezone(), timezone.now())
        }
    return {"text": text, "level": "warn" if account.state == Account.State.COOLING else "off"}
