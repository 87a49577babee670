"""The six figures at the top of the Errors page."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from channels_app.dashboard.cards import Card, cost_of
from channels_app.errors_page.answers import ErrorsAnswers
from channels_app.templatetags.formats import count, no_data, percent
from usage import formats


def cards(answers: ErrorsAnswers) -> Iterator[Card]:
    yield _failed(answers)
    yield _rate(answers)
    yield _cost(answers)
    yield _lost(answers)
    yield _accounts(answers)
    yield _code(answers)


def _failed(answers: ErrorsAnswers) -> Card:
    total = answers.total
    return Card(
        "failed", gettext_lazy("Failed"), gettext_lazy("Upstream attempts that failed; a retried call counts each try."),
        count(total.failed), [_("of %(n)s requests") % {"n": formats.count(total.requests)}],
    )  # fmt: skip


def _rate(answers: ErrorsAnswers) -> Card:
    busiest = max((one.failed for one in answers.by_account.values()), default=0)
    detail = ""
    if answers.total.failed:
        share = formats.percent(busiest / answers.total.failed)
        detail = _("one account has %(share)s of the failures") % {"share": share}
    return Card(
        "rate", gettext_lazy("Error rate"), gettext_lazy("Failed ÷ requests"), percent(answers.total.error_rate), [detail]
    )  # fmt: skip


def _cost(answers: ErrorsAnswers) -> Card:
    """Most failures used nothing, and cost nothing."""
    usage = answers.usage
    billed = usage.requests - usage.unused_failures
    detail = ngettext("%(n)s failed request used tokens", "%(n)s failed requests used tokens", billed)
    return Card(
        "cost", gettext_lazy("Est. cost"), gettext_lazy("What failed attempts cost: upstream bills what it read before it failed."),
        cost_of(usage), [detail % {"n": formats.count(billed)}],
    )  # fmt: skip


def _lost(answers: ErrorsAnswers) -> Card:
    """Nobody knows where too few records tell which client request they served."""
    calls = answers.calls
    if calls is None:
        value, detail = no_data(), _("told of 8 days at most")
    elif not answers.total.failed:
        value, detail = count(0), ""
    elif not calls.are_known:
        value, detail = no_data(), _("too few requests have an id")
    else:
        value, detail = count(calls.lost), _("%(n)s rescued by a further attempt") % {"n": formats.count(calls.rescued)}
    return Card(
        "lost", gettext_lazy("Client requests lost"), gettext_lazy("Client requests all attempts of which failed"),
        value, [detail],
    )  # fmt: skip


def _accounts(answers: ErrorsAnswers) -> Card:
    met = [key for key, one in answers.by_account.items() if one.failed]
    channels = len({key.channel for key in met})
    of_channels = ngettext("in %(n)s channel", "in %(n)s channels", channels) % {"n": channels}
    return Card(
        "accounts", gettext_lazy("Accounts affected"), gettext_lazy("Accounts with a failed request"),
        count(len([key for key in met if key.account is not None])), [of_channels],
    )  # fmt: skip


def _code(answers: ErrorsAnswers) -> Card:
    codes = answers.by_code.most_common(1)
    value, detail = no_data(), ""
    for code, failed in codes:
        value = format_html("{}", code or _("No status"))
        detail = _("%(share)s of the failures") % {"share": formats.percent(failed / answers.total.failed)}
    return Card(
        "code", gettext_lazy("Most common code"), gettext_lazy("The HTTP status that upstream failed with most often"),
        value, [detail],
    )  # fmt: skip
