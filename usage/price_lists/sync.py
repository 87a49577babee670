"""From a price list to rows of prices: prepared as a preview, written once accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from usage.accounting.pricing import Price
from usage.ingest.catalog import Catalog
from usage.ingest.catalog_additions import additions
from usage.ingest.catalog_answers import Answer
from usage.models import ModelName, ModelPrice, Source, UsageWeekly
from usage.models.fields import to_micros
from usage.price_lists import litellm, models_dev
from usage.price_lists.listed import BadPriceList, Listed, check_names
from usage.price_lists.loading import from_file, from_url
from usage.price_lists.matching import Candidates, Index
from usage.price_lists.preview import Additions, Group, Proposal, Shelf, differences, propose

Origin = ModelPrice.Origin
READERS = {Origin.MODELS_DEV: models_dev, Origin.LITELLM: litellm}


@dataclass(frozen=True, slots=True)
class Preview:
    """`missing` are the models of ours that the list does not have."""

    origin: str
    proposals: list[Proposal]
    missing: list[str] = field(default_factory=list)

    def of(self, group: Group) -> list[Proposal]:
        return [one for one in self.proposals if one.group == group]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(one.group for one in self.proposals)
        return {group.value: found[group] for group in Group} | {"missing": len(self.missing)}


def listed(origin: str, file: Path | None = None, url: str = "", *, loopback: bool = False) -> list[Listed]:
    """Return the models of a list that is in `file`, or at `url`, which is asked only if it is given."""
    return models_in(from_file(file) if file else from_url(url, loopback=loopback), origin)


def models_in(document: object, origin: str) -> list[Listed]:
    """Return the models of a list that has been read."""
    models = list(READERS[Origin(origin)].listed(document))
    if not models:
        raise BadPriceList(_("There is no model with prices in the form of %(origin)s") % {"origin": origin})
    check_names(models)
    return models


def preview_published(origin: str, url: str = "") -> Preview:
    """Compare the list that its publishers offer now: genai-prices is installed, the others are at `url` or their own."""
    if origin == Origin.CATALOG:
        return preview_catalog()
    if origin not in READERS:
        known = {"origin": origin, "known": ", ".join([Origin.CATALOG, *READERS])}
        raise BadPriceList(_("PRICE_SOURCE is %(origin)s; it should be one of %(known)s") % known)
    return preview_list(origin, listed(origin, url=url or READERS[Origin(origin)].URL))


def preview_list(
    origin: str, models: Sequence[Listed], *, every: bool = False, chosen: Mapping[str, str] | None = None
) -> Preview:
    """Compare a list with the prices of the models that records have; of `every` one, also with those that none has."""
    index, met = Index(models), _met()
    names = met.keys() | index.names() if every else met.keys()
    candidates = {name: index.candidates(name, met.get(name, ())) for name in names}
    return _preview(origin, candidates, differences, chosen or {})


def preview_catalog(*, chosen: Mapping[str, str] | None = None) -> Preview:
    """Compare genai-prices with the prices of the models that records have, offline."""
    met, catalog = _met(), Catalog()
    asked = [(model, provider) for model, providers in met.items() for provider in providers or ("",)]
    answers = catalog.look_up(asked)
    if catalog.is_away:
        raise BadPriceList(_("genai-prices cannot be asked; the log says why"))
    found: dict[str, list[Listed]] = {model: [] for model in met}
    for (model, _provider), answer in sorted(answers.items()):
        one = Listed(answer.name, answer.name.partition("/")[0], model, answer.prices)
        found[model] += [one] * (one not in found[model])
    candidates = {model: Candidates(models, is_sure=len(models) == 1) for model, models in found.items()}
    return _preview(Origin.CATALOG, candidates, _catalog_additions, chosen or {})


@transaction.atomic
def apply(preview: Preview) -> list[ModelPrice]:
    """Write the rows of what is new and changed; what a person has locked meanwhile stays. Return the rows."""
    shelf = _shelf()
    rows = [
        ModelPrice.of(price, origin=preview.origin, locked=False, catalog_name=proposal.candidates[0])
        for proposal in preview.proposals
        for price in proposal.rows
        if not shelf.decided(proposal.model) & {"", price.service_tier.lower()}
    ]
    ModelPrice.objects.bulk_create(rows, ignore_conflicts=True)
    return rows


def _preview(origin: str, candidates: Mapping[str, Candidates], how: Additions, chosen: Mapping[str, str]) -> Preview:
    _check_choices(chosen, candidates)
    now, shelf = to_micros(timezone.now()), _shelf()
    before = _chosen_before(origin)
    proposals = [
        propose(model, found, shelf, now, how, chosen.get(model) or before.get(model.lower(), ""))
        for model, found in sorted(candidates.items())
        if found.models
    ]
    return Preview(origin, proposals, sorted(model for model, found in candidates.items() if not found.models))


def _check_choices(chosen: Mapping[str, str], candidates: Mapping[str, Candidates]) -> None:
    for model, name in chosen.items():
        names = [one.name for one in candidates[model].models] if model in candidates else []
        if name not in names:
            words = {"model": model, "name": name, "names": ", ".join(names) or "–"}
            raise BadPriceList(_("%(model)s cannot be %(name)s; its candidates: %(names)s") % words)


def _met() -> dict[str, set[str]]:
    """Return the models that records have, and CPA's names of the providers that answered with them.

    What a client called `*` is left out: as a pattern it would be the price of others.
    """
    names = dict(ModelName.objects.exclude(name__contains="*").values_list("pk", "name"))
    providers = dict(Source.objects.values_list("pk", "provider"))
    met: dict[str, set[str]] = {name: set() for name in names.values()}
    for model, source in UsageWeekly.objects.values_list("model", "source").distinct():
        if model in names:
            met[names[model]].add(providers[source])
    return met


def _shelf() -> Shelf:
    rows = list(ModelPrice.objects.all())
    return Shelf([row.price for row in rows], {row.pk for row in rows if row.locked})


def _chosen_before(origin: str) -> dict[str, str]:
    """Return what models were called in this list when it priced them last, so that nobody is asked twice."""
    rows = ModelPrice.objects.filter(origin=origin).exclude(catalog_name="").order_by("pk")
    return {pattern.lower(): name for pattern, name in rows.values_list("pattern", "catalog_name")}


def _catalog_additions(model: str, known: Sequence[Price], said: Listed, now: int) -> list[Price]:
    """What the catalog dates comes with its dates, as when a model is met."""
    rows = list(ModelPrice.objects.filter(pattern=model))
    return (
        additions(rows, Answer(said.name, said.prices), now)
        if rows or not known
        else differences(model, known, said, now)
    )
