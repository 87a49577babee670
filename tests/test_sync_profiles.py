"""Every version of CPA is booked right: requests, channel, account, and each token bucket."""

from __future__ import annotations

import pytest

from tests.traffic import CLIENTS, fake_cpa, read_from, report_of_all, send_traffic, shown
from usage.collection import sync_instance
from usage.ingest import rollup
from usage.models import Instance, Source

QUEUES = ["6.10.8", "7.0.7", "7.1.17", "7.1.44", "7.2.21", "7.2.74", "7.2.97", "7.2.140", "dev"]
SNAPSHOTS = ["6.3.36", "6.6.55", "6.9.49"]
ONLY_RESP = ["6.10.0", "6.10.7"]


@pytest.mark.django_db
@pytest.mark.parametrize("profile", [*SNAPSHOTS, *ONLY_RESP, *QUEUES])
def test_each_bucket_of_each_account_is_booked(profile: str) -> None:
    with fake_cpa(profile) as cpa:
        expected = send_traffic(cpa)
        instance = read_from(cpa)
        outcome = sync_instance(instance)
    assert outcome.error == ""
    assert shown() == expected
    assert outcome.counts.new == sum(row[0] for row in expected.values())
    assert outcome.counts.duplicate == outcome.counts.quarantined == 0
    assert rollup.differences() == []
    assert instance.state == Instance.State.OK
    source, way = _EXPECTED[next(names for names in _EXPECTED if profile in names)]
    assert (instance.source, instance.way) == (source, way)


_EXPECTED = {
    tuple(QUEUES): (Instance.Source.QUEUE, Instance.Way.HTTP_QUEUE),
    tuple(ONLY_RESP): (Instance.Source.RESP, Instance.Way.RESP_QUEUE),
    tuple(SNAPSHOTS): (Instance.Source.LEGACY, Instance.Way.SNAPSHOT),
}


@pytest.mark.django_db
def test_masked_sources_are_matched_by_masking_the_lists() -> None:
    with fake_cpa("6.3.35") as cpa:
        expected = send_traffic(cpa)
        sync_instance(read_from(cpa))
    assert shown() == expected


@pytest.mark.django_db
def test_the_first_snapshots_show_no_source_and_stay_unknown() -> None:
    with fake_cpa("6.0.0") as cpa:
        expected = send_traffic(cpa)
        outcome = sync_instance(read_from(cpa))
    report = report_of_all()
    assert outcome.error == ""
    assert [channel.slug for channel in report.channels] == ["unknown"]
    # Failed attempts are in the snapshot since v6.2.26 only.
    assert report.usage.requests == sum(row[0] for row in expected.values())
    assert report.usage.total_tokens > 0


@pytest.mark.django_db
@pytest.mark.parametrize("profile", ["6.10.8", "7.2.140"])
def test_a_provider_without_keys_shows_the_clients_key_and_is_found_by_its_index(profile: str) -> None:
    """Seen on real servers: the source is then the client's own key, and the kind of login unknown."""
    with fake_cpa(profile) as cpa:
        local = cpa.credentials.add_compat("local-llm", "http://10.0.0.5:11434/v1")
        for client in CLIENTS:
            cpa.emit(local, "qwen3-coder:30b", client_key=client)
        sync_instance(read_from(cpa))
    assert {key: row[0] for key, row in shown().items()} == {("local-llm", "local-llm"): 2}
    assert list(Source.objects.values_list("auth_type", "match")) == [("unknown", Source.Match.AUTH_INDEX)]


@pytest.mark.django_db
def test_a_numeric_auth_index_means_something_only_while_the_server_runs() -> None:
    with fake_cpa("6.6.55") as cpa:
        team = cpa.credentials.add_oauth("codex", "dave@example.com", plan="team")
        plus = cpa.credentials.add_oauth("codex", "dave@example.com", plan="plus")
        instance = read_from(cpa)
        cpa.emit(team, "gpt-5.4")
        cpa.emit(plus, "gpt-5.4")
        sync_instance(instance)
        cpa.restart()
        cpa.emit(plus, "gpt-5.4")  # has the number now that `team` had before
        cpa.emit(team, "gpt-5.4")
        cpa.emit(team, "gpt-5.4")
        sync_instance(instance)
    requests = {account: row[0] for (_channel, account), row in shown().items()}
    # The plan is not shown before v6.6.66: the file tells the two apart.
    assert requests == {
        "dave@example.com (codex-dave@example.com-plus.json)": 2,
        "dave@example.com (codex-dave@example.com-team.json)": 3,
    }
