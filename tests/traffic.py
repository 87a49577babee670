"""A little of everything through a fake CPA, and what a meter must then show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from typing import Any

from django.utils import timezone

from channels_app.period import read_period
from channels_app.stats import ChannelReport, Usage, channel_report
from config.report_zone import report_zone
from tests.conftest import KEY
from tests.fake_cpa import Emitted, FakeCPA, Tokens
from usage.models import Instance

CLIENTS = ("sk-team-frontend-FAKE-0001", "sk-team-batch-FAKE-0002")
OPENROUTER = ("sk-or-v1-FAKE-openrouter-key-00000000001", "sk-or-v1-FAKE-openrouter-key-00000000002")
RELAY = "sk-relay-FAKE-claude-0000000000000002"
GEMINI = "AIzaSyFAKE-gemini-key-0000000000000000001"
LOST = "sk-FAKE-oldrelay-key-00000000000000001"
SECRETS = (*CLIENTS, *OPENROUTER, RELAY, GEMINI, LOST, KEY)

Expected = dict[tuple[str, str], list[int]]


@contextmanager
def fake_cpa(profile: str = "7.2.140", **settings: Any) -> Iterator[FakeCPA]:
    with FakeCPA(profile=profile, management_key=KEY, client_keys=list(CLIENTS), **settings) as cpa:
        yield cpa
        assert cpa.faults.pending == 0, "a planned fault was never met: the test shows nothing"


def read_from(cpa: FakeCPA, mode: str = Instance.Mode.AUTO) -> Instance:
    """Return a new server in our database whose address is that of `cpa`."""
    instance = Instance(name=f"CPA {cpa.port}", base_url=cpa.base_url, mode=mode)
    instance.management_key = KEY
    instance.save()
    return instance


def send_traffic(cpa: FakeCPA) -> Expected:
    """Make one of each kind of attempt; return the requests and token buckets by (channel, account)."""
    add = cpa.credentials
    carol = add.add_oauth("claude", "carol@example.com")
    dave = add.add_oauth("codex", "dave@example.com", plan="plus")
    bob = add.add_oauth("antigravity", "bob.ops@example.com", project_id="calm-harbor-90117")
    xai = add.add_oauth("xai", "grace@example.com")
    router = add.add_compat("OpenRouter", "https://openrouter.example/api/v1", *OPENROUTER)
    relay = add.add_key("claude-api-key", RELAY, base_url="https://relay.example.net/anthropic")
    gemini = add.add_key("gemini-api-key", GEMINI)
    first, second = CLIENTS
    sent = [
        ("claude", "carol@example.com", cpa.emit(carol, "claude-sonnet-4-6", client_key=first, endpoint="POST /v1/messages", tokens=Tokens(uncached=3085, cache_read=7, cache_write=19514, output=253))),
        ("codex", "dave@example.com", cpa.emit(dave, "gpt-5.4", client_key=first, alias="gpt-main", tokens=Tokens(uncached=3, cache_read=7, output=11, reasoning=9))),
        ("antigravity", "bob.ops@example.com", cpa.emit(bob, "gemini-3-pro-high", client_key=second, tokens=Tokens(uncached=17984, output=2668, reasoning=1028))),
        ("xai", "grace@example.com", cpa.emit(xai, "grok-4.3", client_key=second, tokens=Tokens(uncached=1024, cache_read=1024, output=128, reasoning=512))),
        ("OpenRouter", "sk-o...0001", cpa.emit(router.keys[0], "anthropic/claude-sonnet-4.6", client_key=second, tokens=Tokens(uncached=6040, cache_read=33280, output=26))),
        ("OpenRouter", "sk-o...0002", cpa.emit(router.keys[1], "z-ai/glm-5", client_key=second, tokens=Tokens(uncached=60, cache_read=40, output=18, reasoning=12))),
        ("https://relay.example.net/anthropic", "sk-r...0002", cpa.emit(relay, "claude-sonnet-4-6", client_key=first, status=429, error='{"error":"slow down"}')),
        ("https://relay.example.net/anthropic", "sk-r...0002", cpa.emit(relay, "claude-sonnet-4-6", client_key=first, tokens=Tokens(uncached=10, output=5))),
        ("gemini", "AIza...0001", cpa.emit(gemini, "gemini-2.5-pro", client_key=first, tokens=Tokens(uncached=6, cache_read=4, output=2))),
    ]  # fmt: skip
    return expected_of(sent)


def expected_of(sent: list[tuple[str, str, Emitted]]) -> Expected:
    sums: Expected = defaultdict(lambda: [0] * 7)
    for channel, account, emitted in sent:
        if emitted.raw is not None:
            row = sums[channel, account]
            for at, value in enumerate((1, *astuple(emitted.tokens))):
                row[at] += value
    return dict(sums)


def shown() -> Expected:
    """What the channel report says, in the shape of what is expected."""
    return {
        (channel.name, account.name): _numbers(account.usage)
        for channel in report_of_all().channels
        for account in channel.accounts
    }


def report_of_all() -> ChannelReport:
    return channel_report(read_period({"range": "all"}, report_zone(), timezone.now()))


def _numbers(usage: Usage) -> list[int]:
    return [
        usage.requests, usage.uncached_input, usage.cache_read, usage.cache_write,
        usage.output, usage.reasoning, usage.unclassified,
    ]  # fmt: skip
