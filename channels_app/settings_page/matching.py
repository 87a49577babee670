"""A test box for matching: what a record shows of its credential, which rule decides whose it is, and why; and of which
channel the keys are that a server lists with a base URL, which no record shows.

Asked by POST, and the source is not shown again: it may be a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels_app.settings_page.sections import CHANNELS, SectionView
from usage.accounting.resolver import Match, Rule
from usage.ingest.sources import Finding, clue_of, find
from usage.models import Account, Channel, Instance, Source
from usage.upstream.names import without_password

# Of more accounts that a rule finds, some are enough to see why it does not decide.
_MOST_ACCOUNTS = 20
_NAMES: dict[Match, Promise] = {Match.AUTH_INDEX: _("By auth index"), Match.SOURCE: _("By source")}


class MatchingForm(forms.Form):
    server = forms.ModelChoiceField(Instance.objects.all(), label=_("CPA server"), empty_label=None)
    provider = forms.CharField(label=_("Provider"), max_length=100, required=False, help_text=_("Such as codex."))
    auth_index = forms.CharField(label=_("Auth index"), max_length=300, required=False)
    source = forms.CharField(
        label=_("Source"), max_length=10_000, required=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("An e-mail, a file, a project or a key, as the record shows it. It is neither kept nor shown."),
    )  # fmt: skip
    base_url = forms.CharField(
        label=_("Base URL"), max_length=300, required=False,
        help_text=_("Of an API provider, as it stands in CPA's configuration. Records do not show it."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not any(cleaned.get(name) for name in ("auth_index", "source", "base_url")):
            raise ValidationError(gettext("Give an auth index, a source or a base URL: no rule reads anything else."))
        return cleaned


class Tried(NamedTuple):
    """A rule: what it is called, the accounts that it found, whether it decides, and why or why not."""

    name: Promise | str
    accounts: list[Account]
    wins: bool
    reason: str


class Answer(NamedTuple):
    channel: Channel | None
    account: Account | None
    tried: list[Tried]


class Matching(SectionView):
    section, template = CHANNELS, "settings/matching.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._draw(request, MatchingForm(initial={"server": Instance.objects.first()}))

    def post(self, request: HttpRequest) -> HttpResponse:
        asked = request.POST.copy()
        asked["base_url"] = without_password(asked.get("base_url", "").strip())  # it is shown again
        form = MatchingForm(asked)
        return self._draw(request, form, _answer(form) if form.is_valid() else None)

    def _draw(self, request: HttpRequest, form: MatchingForm, answer: Answer | None = None) -> HttpResponse:
        return render(request, self.template, {"form": form, "answer": answer})


def _answer(form: MatchingForm) -> Answer:
    asked = form.cleaned_data
    shown = asked["auth_index"] or asked["source"]
    answer = _of_record(asked) if shown else Answer(None, None, [])
    return _of_base_url(asked, answer) if asked["base_url"] else answer


def _of_record(asked: dict[str, Any]) -> Answer:
    finding = find(asked["server"], clue_of(asked["provider"], asked["auth_index"], asked["source"]))
    ids = {one.account_id for rule in finding.rules for one in rule.found[:_MOST_ACCOUNTS]}
    accounts = Account.objects.select_related("channel").in_bulk(ids)
    tried = [*_said_before(finding.source), *_rules(finding, accounts)]
    if finding.source:
        return Answer(finding.source.known_channel, finding.source.account, tried)
    for rule in finding.rules:
        if decided := rule.resolution:
            channel = Channel.objects.filter(pk=decided.channel_id or 0).first()
            return Answer(channel, accounts.get(decided.account_id or 0), tried)
    return Answer(None, None, tried)


def _of_base_url(asked: dict[str, Any], before: Answer) -> Answer:
    """It is the last to be asked: what a record shows says more."""
    listed = Account.objects.filter(instance=asked["server"], base_url=asked["base_url"])
    still = listed.exclude(state=Account.State.REMOVED)
    fitting = still if still.exists() else listed
    channels = list(Channel.objects.filter(accounts__in=fitting).distinct())
    found = list(fitting.select_related("channel")[:_MOST_ACCOUNTS])
    wins = before.channel is None and len(channels) == 1
    name = gettext("By base URL")
    if not found:
        reason = gettext(
            "The server lists no account with it. What it lists without a name would be a channel of this URL."
        )
    elif before.channel:
        reason = gettext("Not asked any more: a rule before it decides.")
    elif not wins:
        reason = gettext("Accounts of several channels fit, so it decides nothing.")
    elif len(found) > 1:
        reason = gettext("Several accounts of one channel fit: the channel is sure, the account is not.")
    else:
        reason = gettext("It is the only account that fits.")
    tried = [*before.tried, Tried(name, found, wins, reason)]
    if not wins:
        return before._replace(tried=tried)
    return Answer(channels[0], found[0] if len(found) == 1 else None, tried)


def _said_before(source: Source | None) -> Iterator[Tried]:
    if source is None:
        return
    if source.match == Source.Match.BY_HAND:
        yield Tried(_("By hand"), [], wins=True, reason=gettext("Somebody said so; lists do not change it."))
    elif source.account:
        reason = gettext("Records have shown this before, and were of this account.")
        yield Tried(_("As before"), [source.account], wins=True, reason=reason)


def _rules(finding: Finding, accounts: dict[int, Account]) -> Iterator[Tried]:
    is_decided = finding.source is not None
    for rule in finding.rules:
        wins = not is_decided and rule.resolution is not None
        is_decided |= wins
        found = [accounts[one.account_id] for one in rule.found[:_MOST_ACCOUNTS] if one.account_id in accounts]
        yield Tried(_NAMES[rule.match], found, wins, _reason(rule, wins=wins))


def _reason(rule: Rule, *, wins: bool) -> str:
    if not rule.found:
        return gettext("No account of the server fits.")
    if rule.resolution is None:
        return gettext("Accounts of several channels fit, so it decides nothing.")
    if not wins:
        return gettext("Not asked any more: a rule before it decides.")
    if rule.resolution.account_id is None:
        return gettext("Several accounts of one channel fit: the channel is sure, the account is not.")
    if len(rule.found) > 1:
        return gettext("Several fit: preferred is what is still listed, is of this provider and shows this source.")
    return gettext("It is the only account that fits.")
