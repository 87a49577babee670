"""What a cron job and a person at the terminal get from the commands."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from knox.models import AuthToken

from tests.conftest import KEY
from tests.factories import NOON, book, payload
from tests.fake_cpa import Tokens
from tests.traffic import fake_cpa, read_from, send_traffic, shown
from usage.models import Instance, UsageHourly

pytestmark = pytest.mark.django_db


def _run(*arguments: str) -> tuple[str, int]:
    """Return what the command printed and its exit status."""
    out = StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=out)
    except SystemExit as stop:
        return out.getvalue(), int(stop.code or 0)
    return out.getvalue(), 0


def test_sync_ends_with_a_table_and_status_0() -> None:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        name = read_from(cpa).name
        text, status = _run("sync")
    header, row = text.splitlines()
    assert header.split() == ["instance", "read", "new", "duplicate", "quarantined", "named", "priced"]
    assert row.split() == [*name.split(), "9", "9", "0", "0", "0", "0"]
    assert status == 0


def test_sync_as_json_tells_each_server_and_fails_for_cron_when_one_failed() -> None:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        good = read_from(cpa)
        bad = Instance(name="Bad", base_url="http://127.0.0.1:9")
        bad.management_key = KEY
        bad.save()
        text, status = _run("sync", "--json")
    outcomes = {outcome.pop("instance"): outcome for outcome in json.loads(text)}
    assert status == 1
    assert outcomes[good.name] == {
        "read": 9, "new": 9, "duplicate": 0, "quarantined": 0, "named": 0, "priced": 0, "error": "",
    }  # fmt: skip
    assert "no connection" in outcomes["Bad"]["error"]


def test_sync_reads_one_server_by_its_slug(instance: Instance) -> None:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        slug = read_from(cpa).slug
        text, status = _run("sync", "--json", "--instance", slug)
    assert [outcome["new"] for outcome in json.loads(text)] == [9]
    assert status == 0


def test_sync_names_the_servers_there_are(instance: Instance) -> None:
    with pytest.raises(CommandError, match="no enabled server is called 'nowhere'; there are: test-cpa"):
        call_command("sync", "--instance", "nowhere")


def test_sync_without_any_server_says_how_to_add_one() -> None:
    with pytest.raises(CommandError, match="CPA_BASE_URL"):
        call_command("sync")


def test_a_server_from_the_environment_is_read_and_follows_a_changed_key(settings: Any) -> None:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        settings.CPA_BASE_URL, settings.CPA_MANAGEMENT_KEY = f"{cpa.base_url}/", "mgmt-FAKE-wrong"
        assert _run("sync")[1] == 1
        settings.CPA_MANAGEMENT_KEY = KEY
        assert _run("sync")[1] == 0
    assert Instance.objects.get().base_url == cpa.base_url
    assert sum(row[0] for row in shown().values()) == 9


def test_backfill_names_records_that_came_before_their_names_and_says_how_many() -> None:
    with fake_cpa() as cpa:
        dave = cpa.credentials.add_oauth("codex", "dave@example.com", plan="plus")
        cpa.credentials.remove(dave)  # used, but listed nowhere yet
        for _ in range(3):
            cpa.emit(dave, "gpt-5.4", tokens=Tokens(uncached=2, output=1))
        instance = read_from(cpa)
        _run("sync")
        ((channel, _source), before) = next(iter(shown().items()))
        assert channel == "Unknown channel"
        cpa.credentials.files.append(dave)
        text, status = _run("backfill_channels")
    assert text.strip() == f"{instance.name}: 1 sources resolved, 3 records named"
    assert status == 0
    assert shown() == {("codex", "dave@example.com"): before}


def test_backfill_applies_what_is_known_when_a_server_is_away(instance: Instance) -> None:
    text, status = _run("backfill_channels")
    assert "0 sources resolved, 0 records named" in text
    assert "no connection" in text
    assert status == 1
    assert _run("backfill_channels", "--offline")[1] == 0


def test_removed_and_renamed_credentials_keep_their_history() -> None:
    with fake_cpa() as cpa:
        expected = send_traffic(cpa)
        read_from(cpa)
        _run("sync")
        cpa.credentials.rename(cpa.credentials.files[1], "codex-dave-new.json")
        cpa.credentials.remove(cpa.credentials.files[0])
        cpa.credentials.compat[0].name = "Router"
        _run("sync")
    names = {"OpenRouter": "Router"}
    assert shown() == {(names.get(channel, channel), account): row for (channel, account), row in expected.items()}


def test_rebuild_and_verify_tell_and_mend_a_difference() -> None:
    with fake_cpa() as cpa:
        expected = send_traffic(cpa)
        read_from(cpa)
        _run("sync")
    assert _run("rebuild_rollups", "--verify") == ("The rollup equals the records.\n", 0)
    UsageHourly.objects.filter(requests__gt=0).update(output=123)
    text, status = _run("rebuild_rollups", "--verify")
    assert "differs from the records" in text
    assert status == 1
    assert _run("rebuild_rollups")[1] == 0
    assert _run("rebuild_rollups", "--verify")[1] == 0
    assert shown() == expected


def test_some_days_alone_can_be_rebuilt(instance: Instance) -> None:
    book(instance, *(payload(NOON + days * timedelta(days=1), request_id=str(days)) for days in range(4)))
    UsageHourly.objects.update(requests=7)
    text, status = _run("rebuild_rollups", "--from", "2026-08-23", "--to", "2026-08-24")
    assert (text.endswith(" rows rebuilt.\n"), status) == (True, 0)
    assert list(UsageHourly.objects.order_by("bucket").values_list("requests", flat=True)) == [7, 1, 1, 7]
    _run("rebuild_rollups", "--from", "2026-08-25")
    _run("rebuild_rollups", "--to", "2026-08-22")
    assert _run("rebuild_rollups", "--verify")[1] == 0


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (["--from", "soon"], "'soon' is no day; write it as YYYY-MM-DD"),
        (["--to", "9999-12-31"], "'9999-12-31' is no day"),
        (["--from", "2026-08-24", "--to", "2026-08-23"], "--from 2026-08-24 is after --to 2026-08-23"),
    ],
)
def test_days_that_are_none_are_refused(days: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        _run("rebuild_rollups", *days)


def test_an_api_token_is_printed_once_and_stored_as_a_digest() -> None:
    get_user_model().objects.create_user("operator")
    token = _run("create_api_token", "operator")[0].strip()
    row = AuthToken.objects.get()
    assert token not in (row.digest, row.token_key)
    with pytest.raises(CommandError, match="there is no user 'nobody'; there are: operator"):
        call_command("create_api_token", "nobody")
