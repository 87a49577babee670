"""A small ledger for the pages: every kind of row that the Channels page can show, the same on every run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from usage.ingest import rollup
from usage.models import Account, Channel, Instance, ModelName, RequestTraits, Source, UsageRecord

# Tokens of one request: uncached input, cache read, cache write, output, reasoning.
TOKENS = (10_000, 80_000, 4_000, 5_000, 1_000)
PRICE, SAVED = 150_000_000, 210_000_000


def make_sample_usage(instance: Instance, now: datetime) -> None:
    """Three named channels and the unknown one; 174 requests, all within the hour before `now`."""
    claude = _channel("claude", Channel.Kind.OAUTH)
    codex = _channel("codex", Channel.Kind.OAUTH)
    router = _channel("https://openrouter.ai/api/v1", Channel.Kind.API_KEY)
    alice = _account(instance, claude, "alice@example.com")
    bob = _account(instance, claude, "bob@example.com", Account.State.COOLING, now + timedelta(minutes=28))
    old = _account(instance, claude, "很长的账号名-用于测试截断的账号@example.com.cn", Account.State.DISABLED)
    team = _account(instance, codex, "team@example.org")
    key = _account(instance, router, "sk-o...77aa")
    nobody = Source.objects.create(instance=instance, provider="claude", auth_index="0f1e2d", label="sk-a...9f3c")
    traits, _ = RequestTraits.objects.get_or_create(endpoint="POST /v1/messages")
    UsageRecord.objects.bulk_create([
        *_records(now, traits, _source(instance, alice), "claude-opus-4-6", 60, failed=1),
        *_records(now, traits, _source(instance, alice, "again"), "claude-sonnet-4-5", 10),
        *_records(now, traits, _source(instance, bob), "claude-opus-4-6", 30, failed=8),
        *_records(now, traits, _source(instance, old), "claude-opus-4-6", 2),
        *_records(now, traits, _source(instance, team), "gpt-5-codex", 40, unpriced=10),
        *_records(now, traits, _source(instance, key), "mystery-model", 20, unpriced=20),
        *_records(now, traits, nobody, "claude-opus-4-6", 12),
    ])  # fmt: skip
    rollup.rebuild()


def _channel(name: str, kind: str) -> Channel:
    return Channel.objects.get_or_create(name=name, kind=kind)[0]


def _account(
    instance: Instance, channel: Channel, label: str, state: str = "active", retry_at: datetime | None = None
) -> Account:
    return Account.objects.create(
        instance=instance,
        channel=channel,
        label=label,
        state=state,
        retry_at=retry_at,
        listed_in="test",
        provider=channel.name[:20],
        auth_index=label,
    )


def _source(instance: Instance, account: Account, suffix: str = "") -> Source:
    return Source.objects.create(
        instance=instance,
        provider=account.provider,
        auth_index=account.auth_index + suffix,
        account=account,
        channel=account.channel,
        match=Source.Match.AUTH_INDEX,
    )


def _records(
    now: datetime,
    traits: RequestTraits,
    source: Source,
    model: str,
    requests: int,
    *,
    failed: int = 0,
    unpriced: int = 0,
) -> Iterator[UsageRecord]:
    """`requests` records, the first `failed` of them failed, the first `unpriced` of them without a price."""
    name, _ = ModelName.objects.get_or_create(name=model)
    uncached, read, written, output, reasoning = TOKENS
    for number in range(requests):
        yield UsageRecord(
            requested_at=now - timedelta(seconds=60 + number),
            dedup_key=f"{source.pk}-{number}".encode(),
            received_at=now,
            source=source,
            model=name,
            alias=name,
            traits=traits,
            failed=number < failed,
            uncached_input=uncached,
            cache_read=read,
            cache_write=written,
            output=output,
            reasoning=reasoning,
            cost_nanousd=None if number < unpriced else PRICE,
            saved_nanousd=None if number < unpriced else SAVED,
        )
