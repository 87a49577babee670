"""What became of the calls of clients is told exactly, whenever and in whatever order their records come."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from io import StringIO
from random import Random
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from channels_app.stats import EVERYTHING, Span
from channels_app.stats.client_requests import Calls, attempts_of, calls, paths
from tests.factories import (
    CLIENT_KEY,
    NOON,
    auth_file,
    auth_files,
    before_next,
    book,
    examples,
    list_names,
    payload,
    undone,
)
from tests.test_questions import OF_RECORD, ask, inside, questions
from usage.accounting.payload import Payload
from usage.housekeeping import jobs
from usage.ingest import attempts, attempts_check, grains, rollup
from usage.ingest.attempts import LONGEST_PATH, derive, stale_stretches
from usage.ingest.pruning import prune
from usage.models import Attempt, Instance, StaleHour, UsageRecord
from usage.models.fields import to_micros

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MS = timedelta(milliseconds=1)
PAUSE_MS, LONGEST_MS = 600_000, 3_000_000
POST, WEBSOCKET = "POST /v1/messages", "GET /v1/responses"
EVER = Span(0, to_micros(NOON + 100 * DAY))
ACCOUNTS = ("dave", "carol", "bob", "gone")


@pytest.fixture
def named(instance: Instance) -> Instance:
    list_names(
        instance,
        auth_files=auth_files(
            auth_file("dave.json", "codex", email="dave@example.com", auth_index="dave"),
            auth_file("carol.json", "codex", email="carol@example.com", auth_index="carol"),
            auth_file("bob.json", "claude", email="bob@example.com", auth_index="bob"),
        ),
    )
    return instance


def attempt(minutes: float, request_id: str = "one", *, failed: bool = False, **fields: Any) -> Payload:
    known = {
        "endpoint": POST,
        "auth_index": "dave",
        "latency_ms": 1_000,
        "fail": {"status_code": 429 if failed else 200},
    }
    return payload(NOON + minutes * MINUTE, request_id=request_id, failed=failed, **(known | fields))


def call_of(row: UsageRecord) -> tuple[Any, ...]:
    return row.source.instance_id, row.request_id, row.api_key_id, row.alias_id, row.traits.endpoint


def grouped(rows: list[UsageRecord]) -> list[list[UsageRecord]]:
    """Group records as the rule says, in plain Python."""
    groups: list[list[UsageRecord]] = []
    open_groups: dict[Any, list[UsageRecord]] = {}
    for row in sorted(rows, key=lambda row: (row.requested_at, row.pk)):
        is_http = row.traits.endpoint and not row.traits.endpoint.startswith("GET ")
        call: Any = call_of(row) if row.request_id and is_http else row.pk
        group = open_groups.get(call)
        if group is None or row.requested_at > max(map(end_of, group)) + PAUSE_MS * MS:
            group = open_groups[call] = []
            groups.append(group)
        group.append(row)
    return groups


def end_of(row: UsageRecord) -> Any:
    return row.requested_at + min(row.latency_ms or 0, LONGEST_MS) * MS


def all_records() -> list[UsageRecord]:
    return list(UsageRecord.objects.select_related("source__account__channel", "source__channel", "traits"))


def expected(rows: list[UsageRecord], asked: set[int]) -> Calls:
    groups = [group for group in grouped(rows) if any(row.pk in asked for row in group)]
    succeeded = [group for group in groups if not all(row.failed for row in group)]
    return Calls(
        asked=len(asked),
        identified=sum(row.pk in asked and bool(row.request_id) for row in rows),
        requests=len(groups),
        succeeded=len(succeeded),
        rescued=sum(any(row.failed for row in group) for group in succeeded),
        attempts=sum(map(len, groups)),
    )


def expected_paths(rows: list[UsageRecord], asked: set[int], by: str) -> Counter[tuple[Any, bool]]:
    found: Counter[tuple[Any, bool]] = Counter()
    for group in grouped(rows):
        failed = sum(row.failed for row in group)
        if len(group) > 1 and failed and any(row.pk in asked for row in group):
            found[tuple(OF_RECORD[by](row) for row in group[:LONGEST_PATH]), failed < len(group)] += 1
    return found


def paths_of(span: Span, conditions: Any, by: str) -> Counter[tuple[Any, bool]]:
    found: Counter[tuple[Any, bool]] = Counter()
    for path in paths(span, conditions, by):
        found[path.ids, True] += path.rescued
        found[path.ids, False] += path.lost
    return +found


# Beside the edges of hours and days, and of what still belongs to one call.
@st.composite
def traffic(draw: Any) -> list[Payload]:
    random = draw(st.randoms(use_true_random=False))
    payloads = []
    for number in range(draw(st.integers(1, 8))):
        at = NOON + random.choice([0, 0, 1, 11.98, 12, 23, 36]) * HOUR + random.choice([0, 0, -1, 1, 59_999]) * MS
        shared = random.choice(["", "a", "b", f"{number}", f"{number}"])
        for _ in range(random.choice([1, 1, 2, 3, 5, 9])):
            latency = random.choice([0, 1_000, 3_599_999, 900_000, LONGEST_MS, 10**12])
            failed = random.random() < 0.6
            payloads.append(payload(
                at, request_id=shared, endpoint=random.choice([POST, POST, POST, POST, WEBSOCKET, ""]),
                latency_ms=latency, failed=failed, fail={"status_code": random.choice([429, 500]) if failed else 200},
                api_key=random.choice([CLIENT_KEY, CLIENT_KEY, CLIENT_KEY, ""]), auth_index=random.choice(ACCOUNTS),
                alias=random.choice(["asked", "asked", "asked", "other"]), model=random.choice(["one-FAKE", "two-FAKE"]),
                user_agent=str(len(payloads)),
            ))  # fmt: skip
            pause = random.choice([0, 1, 1_000, PAUSE_MS - 1, PAUSE_MS, PAUSE_MS, PAUSE_MS + 1])
            at += (random.choice([min(latency, LONGEST_MS), 0]) + pause) * MS
    random.shuffle(payloads)
    return payloads


@st.composite
def spans(draw: Any) -> Span:
    ends = st.sampled_from([-1, 0, 0.5, 1, 1.01, 2, 12, 13, 24, 60]).map(lambda hours: NOON + hours * HOUR)
    since, until = sorted((draw(ends), draw(ends)))
    return Span(to_micros(since), to_micros(until))


with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(25))


def check(span: Span, asked: dict[str, list[str]]) -> None:
    rows = all_records()
    wanted = {row.pk for row in inside(rows, span.since, span.until, asked)}
    assert calls(span, ask(asked)) == expected(rows, wanted)
    for by in ("channel", "account", "source"):
        assert paths_of(span, ask(asked), by) == expected_paths(rows, wanted, by)


@with_database
@given(st.data())
def test_answers_are_those_of_the_records_at_any_moment(named: Instance, data: st.DataObject) -> None:
    """Booked in batches, derived now and then; what is stale is as exact as what is not."""
    with undone():
        waiting = data.draw(traffic())
        for _ in range(4):
            size = data.draw(st.integers(1, 12))
            batch, waiting = waiting[:size], waiting[size:]
            book(named, *batch)
            if data.draw(st.booleans()):
                derive(to_micros(NOON + data.draw(st.sampled_from([1, 12, 13, 999])) * HOUR))
            check(data.draw(spans()), data.draw(questions()))
        book(named, *waiting)
        derive()
        assert stale_stretches(0, EVER.until) == []
        check(EVER, {})
        rows = all_records()
        assert stored() == {tuple(row.pk for row in group) for group in grouped(rows) if len(group) > 1}
        assert attempts_check.differences() == []


def test_request_ids_that_share_a_hash_are_not_the_same(named: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_BITS", 8)
    book(named, *(payload(NOON + n * MINUTE, request_id=str(n), endpoint=POST) for n in range(30)))
    derive()
    assert stored() == set()
    book(
        named,
        payload(NOON + 8 * MINUTE, request_id="7", endpoint=POST),
        payload(NOON + 9 * MINUTE, request_id="7", endpoint=POST),
    )
    derive()
    assert [len(group) for group in stored()] == [3]


def stored() -> set[tuple[int, ...]]:
    groups: dict[int, list[int]] = {}
    for row in Attempt.objects.order_by("number"):
        groups.setdefault(row.client_request, []).append(row.record_id)
    assert all(pk == group[0] for pk, group in groups.items())
    return {tuple(group) for group in groups.values()}


def test_what_starts_ten_minutes_after_the_end_belongs_and_a_millisecond_later_does_not(named: Instance) -> None:
    book(
        named,
        attempt(0, "joins", failed=True, latency_ms=90_000), attempt(11.5, "joins"),
        attempt(0, "parts", failed=True, latency_ms=90_000 - 1), attempt(11.5, "parts"),
    )  # fmt: skip
    found = calls(EVER, EVERYTHING)
    assert (found.requests, found.rescued, found.lost, found.attempts) == (3, 1, 1, 4)


def test_turns_of_a_websocket_are_client_requests_of_their_own(named: Instance) -> None:
    book(named, *(attempt(number, "socket", endpoint=WEBSOCKET, failed=number == 1) for number in range(4)))
    derive()
    found = calls(EVER, EVERYTHING)
    assert (found.requests, found.succeeded, found.lost, found.rescued) == (4, 3, 1, 0)
    assert not Attempt.objects.exists()


def test_a_record_that_comes_late_joins_what_was_two(named: Instance) -> None:
    """Those two are of hours that nothing is booked into any more, and far from it."""
    book(named, attempt(-200, failed=True), attempt(-199, failed=True), attempt(-100, failed=True), attempt(-99))
    derive()
    assert {len(group) for group in stored()} == {2}
    book(named, attempt(-190, failed=True, latency_ms=LONGEST_MS))
    book(named, attempt(-140, failed=True, latency_ms=35 * 60_000))
    for _ in range(2):
        found = calls(EVER, EVERYTHING)
        assert (found.requests, found.rescued, found.attempts) == (1, 1, 6)
        derive()
    assert [row.number for row in Attempt.objects.order_by("requested_at")] == [1, 2, 3, 4, 5, 6]


def test_a_chain_of_many_hours_is_one(named: Instance) -> None:
    """Each hour is derived by itself, and knows what comes hours before and after it."""
    for number in range(12):
        book(named, attempt(59 * number, failed=number < 11, latency_ms=LONGEST_MS))
        derive()
        found = calls(EVER, EVERYTHING)
        assert (found.requests, found.attempts) == (1, number + 1)
    assert (found.rescued, found.lost) == (1, 0)
    one = Span(to_micros(NOON), to_micros(NOON) + 1)
    assert calls(one, EVERYTHING) == Calls(asked=1, identified=1, requests=1, succeeded=1, rescued=1, attempts=12)


def test_a_filter_does_not_make_a_rescued_request_a_lost_one(named: Instance) -> None:
    book(named, attempt(0, failed=True), attempt(1, auth_index="bob"))
    for _ in range(2):
        found = calls(EVER, ask({"channel": ["codex"]}))
        assert (found.asked, found.requests, found.success_rate, found.attempts_per_request) == (1, 1, 1.0, 2.0)
        derive()


def test_without_ids_nobody_can_tell(named: Instance) -> None:
    book(named, *(attempt(number, f"{number}" if number else "") for number in range(20)))
    assert calls(EVER, EVERYTHING).success_rate == 1.0
    book(named, attempt(30, ""))
    found = calls(EVER, EVERYTHING)
    assert (found.requests, found.success_rate, found.attempts_per_request) == (21, None, None)
    assert calls(Span(0, 1), EVERYTHING).success_rate is None


@with_database
@given(st.data())
def test_pruning_takes_the_records_and_leaves_what_became_of_them(named: Instance, data: st.DataObject) -> None:
    with undone():
        waiting = data.draw(traffic())
        late = waiting[: data.draw(st.integers(0, 4))]
        book(named, *waiting[len(late) :])
        if data.draw(st.booleans()):
            derive()
        if data.draw(st.booleans()):
            book(named, *late)
        whole = Span(grains.DAILY.start_of(to_micros(NOON - DAY)), grains.DAILY.end_of(to_micros(NOON + 9 * DAY)))
        before, ways = calls(whole, EVERYTHING), paths(whole, EVERYTHING, "account")
        groups = {tuple(row.pk for row in group) for group in grouped(all_records()) if len(group) > 1}
        prune(NOON + data.draw(st.sampled_from([0, 1, 2])) * DAY)
        book(named, *late)  # those of pruned days do not come again
        if calls(whole, EVERYTHING).asked == before.asked:
            assert (calls(whole, EVERYTHING), paths(whole, EVERYTHING, "account")) == (before, ways)
        derive()
        assert all(any(set(group) <= set(one) for one in stored()) for group in groups)
        assert attempts_check.differences() == []


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        (attempts.TABLE, "UPDATE {0} SET succeeded = 7"),
        (attempts.TABLE, "UPDATE {0} SET requested_at = requested_at + 1"),
        (attempts.TABLE, "DELETE FROM {0}"),
        (attempts.HOURS, "UPDATE {0} SET rescued = rescued + 1"),
        (attempts.HOURS, "DELETE FROM {0}"),
    ],
)
def test_attempts_that_are_wrong_are_found_and_mended(named: Instance, table: str, wrong: str) -> None:
    book(named, attempt(0, failed=True), attempt(1), attempt(0, "two"), attempt(70, "three"))
    derive()
    assert attempts_check.differences() == []
    with connection.cursor() as cursor:
        cursor.execute(wrong.format(table))
    assert (table, to_micros(NOON)) in attempts_check.differences()
    call_command("rebuild_rollups", stdout=StringIO())
    assert attempts.TABLE not in dict(attempts_check.differences())  # they wait
    derive()
    assert attempts_check.differences() == []


def test_hours_that_wait_to_be_derived_are_not_wrong(named: Instance) -> None:
    book(named, attempt(0, failed=True), attempt(1))
    derive()
    book(named, attempt(2))
    assert attempts_check.differences() == []


def test_pruning_derives_first_and_what_it_cut_stays_whole(named: Instance) -> None:
    midnight = 12 * 60
    book(
        named,
        attempt(midnight - 1, failed=True),
        attempt(midnight + 1),
        attempt(0, "two", failed=True),
        attempt(1, "two"),
    )
    assert prune(NOON + DAY) == 3
    book(named, attempt(midnight + 2, "other"), attempt(midnight + 3, failed=True))
    derive()
    assert {len(group) for group in stored()} == {2}
    assert [(path.rescued, path.lost) for path in paths(EVER, EVERYTHING, "account")] == [(2, 0)]


def test_what_came_late_and_after_the_cut_is_still_of_the_call_that_began_before_it(named: Instance) -> None:
    midnight = 12 * 60
    book(named, attempt(midnight - 1, failed=True), attempt(midnight + 1, failed=True))
    derive()
    book(
        named, attempt(midnight + 70, failed=True, latency_ms=LONGEST_MS), attempt(midnight + 11, latency_ms=LONGEST_MS)
    )
    before = calls(EVER, EVERYTHING)
    assert (before.requests, before.rescued, before.attempts) == (1, 1, 4)
    assert prune(NOON + DAY) == 1
    assert calls(EVER, EVERYTHING) == before


def test_sums_that_are_made_anew_change_nothing(named: Instance) -> None:
    book(named, attempt(0, failed=True), attempt(1))
    derive()
    rollup.rebuild()
    assert stale_stretches(0, EVER.until) == []
    assert calls(EVER, EVERYTHING).rescued == 1


def test_booking_the_same_again_makes_nothing_stale(named: Instance) -> None:
    book(named, attempt(0, failed=True), attempt(1))
    derive()
    book(named, attempt(0, failed=True), attempt(1))
    assert stale_stretches(0, EVER.until) == []


def test_an_hour_that_goes_on_has_its_turn_once(named: Instance) -> None:
    """Who lets others write would else never end under steady traffic."""
    turns = 0

    def others() -> None:
        nonlocal turns
        turns += 1
        assert turns < 3
        book(named, attempt(turns, "one", failed=True))

    book(named, attempt(-120, "before"), attempt(0, "one", failed=True))
    assert derive(between=others) == 2
    assert StaleHour.objects.count() == 1
    derive()
    assert [len(group) for group in stored()] == [3]


def test_an_hour_that_goes_on_is_left_alone(named: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + 30 * MINUTE)
    book(named, attempt(-61, failed=True), attempt(-60.5), attempt(0, "two", failed=True), attempt(1, "two"))
    assert jobs.client_requests().text == "1 hours looked through"
    assert (Attempt.objects.count(), StaleHour.objects.count()) == (2, 1)


def test_an_hour_to_which_records_come_while_it_is_read_stays_stale(
    named: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a record comes before the groups are read, or after it."""
    book(named, attempt(0, failed=True))
    for at, name in enumerate(("client_requests", "lock_booking")):
        after_a_record_came(named, attempt(at + 1), name, monkeypatch)
        assert derive() == 0
        assert (Attempt.objects.count(), StaleHour.objects.count()) == (0, 1)
    derive()
    assert [len(group) for group in stored()] == [3]


def test_records_of_other_hours_do_not_matter(named: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    book(named, attempt(0, failed=True), attempt(1))
    after_a_record_came(named, attempt(120, "other"), "lock_booking", monkeypatch)
    assert derive() == 2
    assert [len(group) for group in stored()] == [2]


def after_a_record_came(named: Instance, record: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it booked when `attempts` next calls that function."""
    before_next(attempts, name, lambda: book(named, record), monkeypatch)


@pytest.mark.django_db(transaction=True)
def test_who_books_while_others_derive_is_never_forgotten(named: Instance) -> None:
    """Three book and two derive, all at once, until all is booked; then nothing is stale that is not marked so."""
    random = Random(7)
    payloads = [
        attempt(random.randrange(180), f"{random.randrange(40)}", failed=random.random() < 0.7, user_agent=f"{number}",
                latency_ms=random.randrange(60_000), auth_index=random.choice(ACCOUNTS))
        for number in range(240)
    ]  # fmt: skip
    book(named, *payloads[:20])
    is_done, failures = threading.Event(), list[BaseException]()

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    def book_some(number: int) -> None:
        for at in range(20 + number, len(payloads), 9):
            book(named, *payloads[at : at + 9 : 3])

    def derive_on() -> None:
        while not is_done.is_set():
            derive()

    bookers = [threading.Thread(target=run, args=(lambda number=number: book_some(number),)) for number in range(3)]
    derivers = [threading.Thread(target=run, args=(derive_on,)) for _ in range(2)]
    for thread in (*bookers, *derivers):
        thread.start()
    for thread in bookers:
        thread.join(60)
    is_done.set()
    for thread in derivers:
        thread.join(60)
    assert failures == []
    assert UsageRecord.objects.count() == len(payloads)
    derive()
    assert stored() == {tuple(row.pk for row in group) for group in grouped(all_records()) if len(group) > 1}
    check(EVER, {})


@pytest.mark.django_db(transaction=True)
def test_deriving_waits_for_who_has_not_committed(named: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would clear the mark of a record that it cannot see."""
    book(named, attempt(0, failed=True))
    booked, go_on = threading.Event(), threading.Event()
    add_records = rollup.add_records

    def add_and_wait(*ids: int) -> None:
        add_records(*ids)
        booked.set()
        go_on.wait(20)

    monkeypatch.setattr(rollup, "add_records", add_and_wait)

    def run() -> None:
        book(named, attempt(1))
        connection.close()

    def derive_in_thread() -> None:
        derive()
        connection.close()

    booker, deriver = threading.Thread(target=run), threading.Thread(target=derive_in_thread)
    booker.start()
    assert booked.wait(20)
    deriver.start()
    deriver.join(0.3)
    go_on.set()
    booker.join(20)
    deriver.join(20)
    derive()
    assert {len(group) for group in stored()} == {2}


@pytest.fixture
def booked(named: Instance) -> Instance:
    """One rescued by another channel, one lost on two accounts, one that needed no second attempt."""
    book(
        named,
        attempt(0, "saved", failed=True, tokens={"input_tokens": 7}), attempt(1, "saved", auth_index="bob"),
        attempt(2, "lost", failed=True), attempt(3, "lost", failed=True, auth_index="carol"),
        attempt(4, "easy"),
    )  # fmt: skip
    return named


def get(api: APIClient, path: str = "", **query: Any) -> Any:
    answer = api.get(f"/api/client-requests/{path}", {"from": "2026-08-22", "to": "2026-08-22", **query})
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_api_tells_what_became_of_client_requests(api: APIClient, booked: Instance) -> None:
    answer = get(api)
    assert answer["total"] == {
        "requests": 3, "succeeded": 2, "lost": 1, "rescued": 1, "success_rate": pytest.approx(2 / 3), "attempts": 5,
        "attempts_per_request": pytest.approx(5 / 3), "records": 5, "identified": 5,
    }  # fmt: skip
    wasted = answer["wasted"]
    assert (wasted["attempts"], wasted["tokens"]["total"], wasted["cost"]["pricing"]) == (3, 7 + 240, "priced")
    assert get(api, status="ok")["wasted"]["attempts"] == 0
    assert get(api, channel="claude")["total"]["rescued"] == 1


def test_the_api_tells_who_was_tried(api: APIClient, booked: Instance) -> None:
    answer = get(api, "paths/")
    ways = [([step["id"] for step in path["path"]], path["rescued"], path["lost"]) for path in answer["paths"]]
    assert sorted(ways) == [(["codex", "claude"], 1, 0), (["codex", "codex"], 0, 1)]
    assert len(get(api, "paths/", limit=1)["paths"]) == 1
    names = [[step["name"] for step in path["path"]] for path in get(api, "paths/", by="account")["paths"]]
    assert sorted(names) == [["dave@example.com", "bob@example.com"], ["dave@example.com", "carol@example.com"]]


@pytest.mark.parametrize("query", [{"by": "code"}, {"limit": "0"}, {"range": "never"}, {"channel": "nowhere"}])
def test_what_means_nothing_is_refused(api: APIClient, booked: Instance, query: dict[str, str]) -> None:
    assert api.get("/api/client-requests/paths/", query).status_code == 400


@pytest.mark.parametrize("is_derived", [False, True])
def test_a_record_shows_the_attempts_of_its_client_request(api: APIClient, booked: Instance, is_derived: bool) -> None:
    if is_derived:
        derive()
    first, second, *_rest, easy = UsageRecord.objects.order_by("requested_at")
    assert [row.number for row in attempts_of(second)] == [1, 2]
    found = api.get(f"/api/records/{second.pk}/").json()["client_request"]
    assert (found["number"], found["attempts"], found["succeeded"]) == (2, 2, 1)
    assert [row["id"] for row in found["records"]] == [first.pk, second.pk]
    found = api.get(f"/api/records/{easy.pk}/").json()["client_request"]
    assert (found["number"], found["attempts"], [row["id"] for row in found["records"]]) == (1, 1, [easy.pk])
