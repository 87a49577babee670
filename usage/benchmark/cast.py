"""Who appears in the invented ledger: a server, its channels with their accounts, models, prices, client keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import product
from typing import NamedTuple

from usage.accounting.payload import Payload, read_record
from usage.accounting.price_book import PriceBook
from usage.accounting.pricing import Price
from usage.benchmark.traffic import USER_AGENT, Traffic, ip_of
from usage.benchmark.upstream import Upstream
from usage.ingest.accounts import apply_listing
from usage.ingest.prices import load_prices
from usage.ingest.sources import Sources
from usage.models import ApiKey, ClientTraits, FailureMessage, Instance, ModelName, ModelPrice, RequestTraits
from usage.models.fields import to_micros
from usage.secrets import digest, mask
from usage.upstream.client import ManagementClient
from usage.upstream.names import fetch_names

NAME = "Benchmark"
_KEY = "mgmt-FAKE-key"
_EFFORTS = ("medium", "high", "", "low", "xhigh")
# The endpoint of a websocket, whose turns all share one request id (contract E); this provider's clients use it.
_WEBSOCKET, _WEBSOCKET_PROVIDER = "GET /v1/responses", "codex"
_MESSAGES = 200
# A server of one's own has no list price: that channel stays unpriced.
_WITHOUT_PRICE = "openai-compatible-local"


class Traits(NamedTuple):
    id: int
    websocket: bool


class Model(NamedTuple):
    """Ids of a model and of the name by which some clients ask for it; its price, None where it has none."""

    id: int
    alias: int
    price: Price | None


class ChannelCast(NamedTuple):
    """The sources of one channel (one for each account), and what it answers; the popular ones first."""

    sources: list[int]
    models: list[Model]
    traits: list[Traits]


class Cast(NamedTuple):
    channels: list[ChannelCast]
    api_keys: list[int]
    # Of each of the keys, where it is used.
    clients: list[int]
    messages: list[int]


def introduce(upstream: Upstream, mode: Instance.Mode = Instance.Mode.AUTO) -> Instance:
    """Add the server `upstream`, and the accounts that it lists."""
    instance = Instance(name=NAME, base_url=upstream.base_url, mode=mode)
    instance.management_key = _KEY
    instance.save()
    with ManagementClient(instance) as client:
        apply_listing(instance, fetch_names(client))
    return instance


def turn_to(upstream: Upstream, mode: Instance.Mode) -> Instance:
    """Let the server of a kept ledger be `upstream`; its key was encrypted by the installation that introduced it."""
    instance = Instance.objects.get(name=NAME)
    instance.base_url, instance.mode, instance.management_key = upstream.base_url, mode, _KEY
    instance.save()
    return instance


def assemble(instance: Instance, traffic: Traffic, at: datetime) -> Cast:
    """Add what the records of `traffic` point to, as the first record of each account would."""
    channels = [(models, [read_record(raw) for raw in raws]) for models, raws in traffic.channels(at)]
    for models, payloads in channels:
        _add_models(models, priced=payloads[0].provider != _WITHOUT_PRICE)
    names, prices = dict(ModelName.objects.values_list("name", "pk")), load_prices()
    sources = Sources(instance)
    return Cast(
        [
            ChannelCast(
                _add_sources(sources, payloads),
                [_model(name, names, prices, at) for name in models],
                list(_add_traits(payloads[0])),
            )
            for models, payloads in channels
        ],
        _add_keys(traffic.clients),
        _add_clients(traffic.clients),
        _add_messages(),
    )


def _add_models(names: Sequence[str], *, priced: bool) -> None:
    ModelName.objects.bulk_create(ModelName(name=name) for name in [*names, *map(_alias, names)])
    if priced:
        ModelPrice.objects.bulk_create(_price(name, rank) for rank, name in enumerate(names))


def _alias(name: str) -> str:
    return f"team/{name}"


def _price(name: str, rank: int) -> ModelPrice:
    """The popular models are the dear ones; nano-USD per 1,000 tokens."""
    dear = 5_000_000 >> rank
    return ModelPrice.of(Price(name, dear, dear * 5, cached_input=dear // 10, cache_write=dear * 5 // 4))


def _model(name: str, names: dict[str, int], prices: PriceBook, at: datetime) -> Model:
    return Model(names[name], names[_alias(name)], prices.find(name, to_micros(at)))


def _add_sources(sources: Sources, payloads: Iterable[Payload]) -> list[int]:
    payloads = list(payloads)
    sources.ensure(payloads)
    return [sources[payload].id for payload in payloads]


def _add_traits(payload: Payload) -> Iterable[Traits]:
    endpoints = [payload.endpoint or "", *([_WEBSOCKET] if payload.provider == _WEBSOCKET_PROVIDER else [])]
    for endpoint, effort in product(endpoints, _EFFORTS):
        row, _new = RequestTraits.objects.get_or_create(
            endpoint=endpoint, reasoning_effort=effort, service_tier="auto", billed_tier="default"
        )
        yield Traits(row.pk, endpoint == _WEBSOCKET)


def _add_keys(keys: Iterable[str]) -> list[int]:
    rows = [ApiKey(key_digest=digest(key), key_mask=mask(key)) for key in keys]
    return [row.pk for row in ApiKey.objects.bulk_create(rows)]


def _add_clients(keys: Sequence[str]) -> list[int]:
    rows = {ip: ClientTraits(ip=ip, user_agent=USER_AGENT) for ip in map(ip_of, keys)}
    ClientTraits.objects.bulk_create(rows.values())
    return [rows[ip_of(key)].pk for key in keys]


def _add_messages() -> list[int]:
    rows = FailureMessage.objects.bulk_create(
        FailureMessage(text=f"upstream said no, for reason <n> ({number:03})") for number in range(_MESSAGES)
    )
    return [row.pk for row in rows]
