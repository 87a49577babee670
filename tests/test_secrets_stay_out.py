"""Invariant 6: no secret of the traffic is in the database file, a log, a page, or the API."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from tests.factories import SAMPLES, sample
from tests.fake_cpa import FakeCPA
from tests.fake_cpa.credentials import LIST_PROVIDERS
from tests.traffic import CLIENTS, OPENROUTER, RELAY, SECRETS, fake_cpa, read_from, send_traffic
from usage.collection import sync_instance
from usage.models import Instance

PAGES = [
    "/channels/?range=all&open=all", "/api/channels/?range=all", "/admin/", "/admin/usage/usagerecord/",
    "/admin/usage/failuretext/", "/admin/usage/quarantinedpayload/", "/admin/usage/source/", "/admin/usage/apikey/",
    "/admin/usage/account/", "/admin/usage/instance/", "/setup/server/", "/api/docs/", "/api/schema/",
]  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("profile", ["6.3.35", "6.9.49", "7.2.140"])
def test_no_secret_is_kept_or_shown(profile: str, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with fake_cpa(profile) as cpa:
        send_traffic(cpa)
        relay = cpa.credentials.keys[0]
        cpa.credentials.add_compat("", "https://operator:FAKE-password@relay.example.net/v1", OPENROUTER[0])
        text = f'{{"error":"Incorrect API key provided: {RELAY}, and Bearer {CLIENTS[0]}"}}'
        cpa.emit(relay, "claude-sonnet-4-6", client_key=CLIENTS[0], status=401, error=text,
                 user_agent=f"agent/1 ({CLIENTS[0]})", x_forwarded_for=CLIENTS[0])  # fmt: skip
        if cpa.profile.does("usage queue"):
            cpa.enqueue_raw(f'{{"api_key":"{CLIENTS[1]}","tokens":"none"}}'.encode())
        instance = read_from(cpa)
        assert sync_instance(instance).error == ""
        wrong = Instance(name="Wrong key", base_url=cpa.base_url.replace("127.0.0.1", "localhost"))
        wrong.management_key = "mgmt-FAKE-wrong-key-000000000000"
        wrong.save()
        sync_instance(wrong)
    _assert_nowhere([*SECRETS, wrong.management_key, "FAKE-password"], client, caplog)


@pytest.mark.django_db(transaction=True)
def test_no_secret_of_the_samples_is_kept_or_shown(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    lists = {path.stem: json.loads(path.read_text()) for path in SAMPLES.glob("key_list_*.json")}
    records = [*sample("usage_queue_v7_2"), *sample("usage_queue_v6_10")]
    secrets = {secret for data in (*lists.values(), records) for secret in _secrets_in(data)}
    assert len(secrets) > 15
    with fake_cpa() as cpa:
        for listing in lists.values():
            _configure(cpa, listing)
        for record in records:
            cpa.enqueue_raw(json.dumps(record).encode())
        outcome = sync_instance(read_from(cpa))
    assert (outcome.counts.new, outcome.error) == (len(records), "")
    _assert_nowhere(secrets, client, caplog)


def _secrets_in(data: Any) -> Iterator[str]:
    """Every value that names itself a key, the tokens' digests, and sources that are no e-mail and no file."""
    if isinstance(data, list):
        for item in data:
            yield from [item] if isinstance(item, str) else _secrets_in(item)
    elif isinstance(data, dict):
        for name, value in data.items():
            if (name in ("api-key", "api_key", "access_token_sha256") and value) or (
                name == "source" and value and "@" not in value
            ):
                yield value
            elif name not in ("models", "headers", "response_headers", "excluded-models"):
                yield from _secrets_in(value)


def _configure(cpa: FakeCPA, listing: dict[str, Any]) -> None:
    for name, entries in listing.items():
        for entry in entries:
            if name == "openai-compatibility":
                keys = [key["api-key"] for key in entry.get("api-key-entries", [])]
                cpa.credentials.add_compat(entry["name"], entry["base-url"], *keys)
            elif name in LIST_PROVIDERS:
                cpa.credentials.add_key(name, entry["api-key"], base_url=entry.get("base-url", ""))


def _assert_nowhere(secrets: Iterable[str], client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.force_login(get_user_model().objects.create_superuser("operator"))
    shown = {path: client.get(path).content for path in PAGES}
    shown |= {"the database": _database(), "the log": caplog.text.encode()}
    for place, content in shown.items():
        assert content, place
        assert not [secret for secret in secrets if secret.encode() in content], place


def _database() -> bytes:
    """Everything that the database holds, as bytes."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # By another process: when ours closes the file, all its locks of it are gone, and SQLite's are among them.
        return subprocess.run(["cat", str(connection.settings_dict["NAME"])], check=True, capture_output=True).stdout
    tables = connection.introspection.table_names()
    with connection.cursor() as cursor:
        rows = []
        for table in tables:
            cursor.execute(f'SELECT CAST(whole AS text) FROM "{table}" AS whole')
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows).encode()
