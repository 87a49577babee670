"""Warnings about what came in: names, prices, quarantine, room, and how far the books are (W09-W11, W13, W14)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from usage import formats, storage
from usage.ingest.grains import TOKENS
from usage.models import Instance, QuarantinedPayload
from usage.warnings.survey import Survey
from usage.warnings.warning import Action, Warning, to_collector, why

_BEHIND = timedelta(minutes=5)


def unmatched(survey: Survey) -> Iterator[Warning]:
    days = survey.recent_days.filter(source__channel=None, source__account=None)
    sums = days.aggregate(requests=Sum("requests"), sources=Count("source", distinct=True))
    if sums["requests"]:
        text = ngettext(
            "%(n)s requests come from %(m)s unknown source.",
            "%(n)s requests come from %(m)s unknown sources.",
            sums["sources"],
        )
        facts = {"n": formats.grouped(sums["requests"]), "m": formats.grouped(sums["sources"])}
        yield Warning("W09", "info", text % facts, action=to_collector(_("Assign"), "unmatched"))


def unpriced(survey: Survey) -> Iterator[Warning]:
    if models := survey.unpriced_models:
        text = ngettext(
            "%(n)s model has no price; cost covers %(p)s of tokens.",
            "%(n)s models have no price; cost covers %(p)s of tokens.",
            models,
        )
        facts = {"n": models, "p": formats.percent(_price_coverage(survey))}
        action = Action(_("Prices"), reverse("prices"))
        yield Warning("W10", "info", text % facts, action=action)


def _price_coverage(survey: Survey) -> float:
    sums = survey.recent_days.aggregate(*(Sum(name) for name in (*TOKENS, "priced_tokens")))
    priced = sums.pop("priced_tokens__sum")
    return priced / sum(sums.values()) if any(sums.values()) else 0.0


def quarantined(survey: Survey) -> Iterator[Warning]:
    if number := QuarantinedPayload.objects.count():
        text = ngettext("%(n)s record could not be read.", "%(n)s records could not be read.", number)
        action = to_collector(_("Quarantine"), "quarantine")
        yield Warning("W11", "warn", text % {"n": formats.grouped(number)}, action=action)


def disk_full(survey: Survey) -> Iterator[Warning]:
    full = [instance for instance in survey.instances if instance.state == Instance.State.DISK_FULL]
    if full:
        text = next(iter(why(full[0])), str(full[0].get_state_display()))
        yield Warning("W13", "fail", text, action=to_collector(_("Storage"), "storage"), since=full[0].state_since)


def low_disk(survey: Survey) -> Iterator[Warning]:
    if storage.is_low(storage.disk()):
        yield Warning("W13", "warn", _("Low disk space."), action=to_collector(_("Storage"), "storage"))


def behind(survey: Survey) -> Iterator[Warning]:
    oldest = survey.backlog.oldest
    if oldest and survey.now - oldest > _BEHIND:
        minutes = (survey.now - oldest) // timedelta(minutes=1)
        text = _("Charts are %(n)s min behind records.") % {"n": formats.grouped(minutes)}
        yield Warning("W14", "warn", text, action=to_collector(_("Storage"), "storage"))
