"""Secrets have an identity and a mask, and stay readable over a change of SECRET_KEY."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from tests.conftest import KEY
from tests.factories import CLIENT_KEY, book, payload
from usage.models import ApiKey, Instance, UsageRecord
from usage.secrets import DIGEST_BYTES, UnreadableSecret, decrypt, digest, encrypt, mask

OLD, NEW, NEWEST = ("FAKE-old-" + "0" * 50, "FAKE-new-" + "1" * 50, "FAKE-newest-" + "2" * 50)


def rotate(settings: Any, key: str, *fallbacks: str) -> None:
    settings.SECRET_KEY = key
    settings.SECRET_KEY_FALLBACKS = list(fallbacks)


def test_digest_tells_secrets_apart_and_depends_on_our_key(settings: Any) -> None:
    rotate(settings, OLD)
    first = digest(CLIENT_KEY)
    assert len(first) == DIGEST_BYTES
    assert digest(CLIENT_KEY) == first
    assert digest(CLIENT_KEY + "x") != first
    rotate(settings, NEW)
    assert digest(CLIENT_KEY) != first


def test_identity_and_readability_survive_each_rotation(settings: Any) -> None:
    rotate(settings, OLD)
    identity, token = digest(CLIENT_KEY), encrypt(KEY)
    rotate(settings, NEW, OLD)
    newer = encrypt("newer-FAKE")
    assert (digest(CLIENT_KEY), decrypt(token)) == (identity, KEY)
    rotate(settings, NEWEST, NEW, OLD)
    assert (digest(CLIENT_KEY), decrypt(token), decrypt(newer)) == (identity, KEY, "newer-FAKE")


def test_what_is_encrypted_after_a_rotation_needs_the_new_key_only(settings: Any) -> None:
    rotate(settings, NEW, OLD)
    token = encrypt(KEY)
    rotate(settings, NEW)
    assert decrypt(token) == KEY
    rotate(settings, OLD)
    with pytest.raises(UnreadableSecret):
        decrypt(token)


def test_lost_key_is_told_with_the_way_out_and_without_the_secret(settings: Any) -> None:
    rotate(settings, OLD)
    token = encrypt(KEY)
    rotate(settings, NEW)
    for unreadable in (token, "", "no token at all", "gAAAAA", "鹿"):
        with pytest.raises(UnreadableSecret, match="SECRET_KEY_FALLBACKS") as lost:
            decrypt(unreadable)
        assert KEY not in str(lost.value)


def test_same_secret_is_encrypted_differently_each_time() -> None:
    assert encrypt(KEY) != encrypt(KEY)
    assert KEY not in encrypt(KEY)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("sk-relay-FAKE-claude-0000000000000002", "sk-r...0002"),
        ("0123456789abcdef", "0123...cdef"),
        ("0123456789abcde", "••••"),
        ("x", "••••"),
        ("", ""),
    ],
)
def test_mask_shows_both_ends_of_a_long_key_and_nothing_of_a_short_one(secret: str, shown: str) -> None:
    assert mask(secret) == shown


@pytest.mark.django_db
def test_clients_key_stays_the_same_row_over_a_rotation(settings: Any, instance: Instance) -> None:
    book(instance, payload(request_id="before"))
    rotate(settings, NEW, settings.SECRET_KEY)
    instance.refresh_from_db()
    assert instance.management_key == KEY
    book(instance, payload(request_id="after"))
    assert ApiKey.objects.count() == 1
    assert UsageRecord.objects.filter(api_key__key_mask=mask(CLIENT_KEY)).count() == 2


@pytest.mark.django_db
def test_no_table_holds_a_secret_in_clear(instance: Instance) -> None:
    upstream = "sk-FAKE-upstream-key-0000000000000001"
    texts = f"invalid x-api-key {upstream} sent by {CLIENT_KEY}"
    book(
        instance,
        payload(source=upstream, failed=True, fail={"status_code": 401, "body": texts}),
        payload(source=CLIENT_KEY, request_id="2"),
    )
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            content = repr([[bytes(cell) if isinstance(cell, memoryview) else cell for cell in row] for row in cursor])
            for secret in (upstream, CLIENT_KEY, KEY):
                assert secret not in content, f"{table} holds a secret"
