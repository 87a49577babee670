"""The list of records: by keyset in both directions, with any filter, in any order, whatever is booked meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from channels_app.records import DEFAULT_SORT, SORTS, Cursor, CursorError, Page, Place, read_cursor, records
from channels_app.stats import EVERYTHING, Conditions, Span
from channels_app.stats.conditions import NOTHING
from tests.factories import CLIENT_KEY, NOON, TOKENS, auth_file, auth_files, book, examples, list_names, payload, zones
from tests.test_questions import ask, inside, questions
from usage.models import FailureText, Instance, UsageRecord
from usage.models.fields import to_micros

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OTHER_KEY = "sk-FAKE-other-0123456789"
EVER = Span(0, to_micros(NOON + 100 * DAY))
with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(25))


@pytest.fixture(params=zones("UTC", "Asia/Kathmandu"))
def ledger(request: pytest.FixtureRequest, settings: Any, instance: Instance) -> list[UsageRecord]:
    """A hundred and fifty records of a month, of which many are of one moment or have equal values."""
    settings.TIME_ZONE = request.param
    list_names(
        instance,
        auth_files=auth_files(
            auth_file("dave.json", "codex", email="dave@example.com", auth_index="dave"),
            auth_file("bob.json", "claude", email="bob@example.com", auth_index="bob"),
        ),
    )
    random = Random(5)
    for batch in range(3):  # ids are not in the order of time
        book(instance, *(
            payload(
                NOON + random.choice([0, 1, 6, 29, 700]) * HOUR + random.choice([0, 0, 1, 14]) * timedelta(minutes=15),
                request_id=f"{batch}-{number}", model=random.choice(["gpt-5.4", "gpt-5.4", "claude-sonnet-4-6", "FAKE"]),
                api_key=random.choice([CLIENT_KEY, OTHER_KEY, ""]), auth_index=random.choice(["dave", "bob", "gone"]),
                failed=(failed := random.random() < 0.3),
                fail={"status_code": random.choice([429, 500]) if failed else 200},
                latency_ms=random.choice([0, 90, 1_000]), tokens={"input_tokens": random.choice([0, 10, 1_000_000])},
            )
            for number in range(50)
        ))  # fmt: skip
    return list(UsageRecord.objects.select_related("source__account"))


def value_of(row: UsageRecord, name: str) -> int | None:
    values = {
        "time": to_micros(row.requested_at), "cost": row.cost_nanousd, "tokens": row.total_tokens,
        "latency": row.latency_ms,
    }  # fmt: skip
    return values[name]


def in_order(rows: list[UsageRecord], sort: str) -> list[int]:
    """Sort in plain Python; what is not known goes last in either order."""
    sign, name = (-1 if sort.startswith("-") else 1), sort.removeprefix("-")

    def key(row: UsageRecord) -> tuple[bool, int, int]:
        value = value_of(row, name)
        return value is None, sign * (value or 0), sign * row.pk

    return [row.pk for row in sorted(rows, key=key)]


def ids_of(page: Page) -> list[int]:
    return [row.pk for row in page.rows]


def walk(
    span: Span, conditions: Conditions, sort: str, limit: int, meanwhile: Callable[[], object] = lambda: None
) -> tuple[list[list[int]], Page]:
    """Return the ids of all pages to the end of the list, and the last page."""
    page = records(span, conditions, sort, None, limit)
    assert page.is_first
    pages = [ids_of(page)]
    while page.older:
        meanwhile()
        page = records(span, conditions, sort, read_cursor(str(page.older), sort), limit)
        pages.append(ids_of(page))
    return pages, page


def walk_back(page: Page, span: Span, conditions: Conditions, sort: str, limit: int) -> list[list[int]]:
    """Return the ids of all pages before this one, the first one first."""
    pages = []
    while not page.is_first:
        assert page.newer
        page = records(span, conditions, sort, read_cursor(str(page.newer), sort, back=True), limit)
        assert page.rows
        pages.append(ids_of(page))
    return pages[::-1]


def flat(pages: list[list[int]]) -> list[int]:
    return [pk for page in pages for pk in page]


@with_database
@given(st.data())
def test_each_page_is_what_a_plain_filter_and_sort_give(ledger: list[UsageRecord], data: st.DataObject) -> None:
    quarters = (st.integers(-8, 40) | st.just(2_900)).map(lambda quarter: to_micros(NOON + quarter * HOUR / 4))
    since, until = sorted((data.draw(quarters), data.draw(quarters)))
    asked, sort = data.draw(questions()), data.draw(st.sampled_from(SORTS))
    limit = data.draw(st.sampled_from([1, 7, 50]))
    conditions, span = ask(asked), Span(since, until)
    expected = in_order(inside(ledger, since, until, asked), sort)
    pages, last = walk(span, conditions, sort, limit)
    assert flat(pages) == expected
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert flat(walk_back(last, span, conditions, sort, limit)) == expected[: len(expected) - len(pages[-1])]


@pytest.mark.parametrize("sort", SORTS)
def test_each_order_goes_through_all_there_and_back(ledger: list[UsageRecord], sort: str) -> None:
    expected = in_order(ledger, sort)
    pages, last = walk(EVER, EVERYTHING, sort, 20)
    assert flat(pages) == expected
    assert flat(walk_back(last, EVER, EVERYTHING, sort, 20)) == expected[:-10]


def test_more_tokens_than_a_column_holds_are_sorted_too(instance: Instance) -> None:
    told = {"input_tokens": 10**9, "cache_read_tokens": 10**9, "cache_creation_tokens": 10**9, "output_tokens": 10**9}
    for number, tokens in enumerate((told, TOKENS, told)):
        book(instance, payload(tokens=tokens, provider="claude", request_id=f"{number}"))
    rows = records(EVER, EVERYTHING, "-tokens", None, 50).rows
    assert [row.total_tokens for row in rows] == [4 * 10**9, 4 * 10**9, 120]
    assert ids_of(records(EVER, EVERYTHING, "tokens", None, 50)) == [row.pk for row in reversed(rows)]


def test_some_costs_are_known_and_some_are_not(ledger: list[UsageRecord]) -> None:
    costs = {row.cost_nanousd for row in ledger}
    assert None in costs
    assert len(costs) > 2


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_what_is_rare_is_found_in_order_however_far_apart(instance: Instance, settings: Any, limit: int) -> None:
    """At both sides of each beginning of a day, which is within an hour."""
    settings.TIME_ZONE = "Asia/Kathmandu"
    midnight = NOON + timedelta(hours=6, minutes=15)
    for day in range(0, 60, 5):
        book(instance, *(
            payload(midnight + day * DAY + minutes * timedelta(minutes=1), model=model, request_id=f"{day}")
            for minutes in (-1, 0) for model in ("rare-FAKE", "usual-FAKE")
        ))  # fmt: skip
    rows, asked = list(UsageRecord.objects.filter(model__name="rare-FAKE")), ask({"model": ["rare-FAKE"]})
    for sort in SORTS:
        pages, last = walk(EVER, asked, sort, limit)
        assert flat(pages) == in_order(rows, sort), sort
        assert len(pages) == -(-24 // limit)
        assert len(walk_back(last, EVER, asked, sort, limit)) == len(pages) - 1


@pytest.mark.parametrize("sort", [DEFAULT_SORT, "-tokens"])
def test_what_is_booked_meanwhile_moves_no_record(ledger: list[UsageRecord], instance: Instance, sort: str) -> None:
    numbers = iter(range(1_000))

    def book_newer() -> None:
        """First in both orders."""
        number = next(numbers)
        at = NOON + 40 * DAY + number * HOUR
        book(instance, payload(at, request_id=f"new-{number}", tokens={"input_tokens": 10_000_000 + number}))

    expected = in_order(ledger, sort)
    pages, last = walk(EVER, EVERYTHING, sort, 20, book_newer)
    assert flat(pages) == expected
    new = in_order(list(UsageRecord.objects.filter(request_id__startswith="new-")), sort)
    assert flat(walk_back(last, EVER, EVERYTHING, sort, 20)) == [*new, *expected[: len(expected) - len(pages[-1])]]


def test_from_the_first_page_what_comes_later_can_be_asked_for(ledger: list[UsageRecord], instance: Instance) -> None:
    page = records(EVER, EVERYTHING)
    assert page.newer
    later = records(EVER, EVERYTHING, cursor=page.newer)
    assert (later.rows, later.older, later.newer) == ([], None, None)
    book(instance, payload(NOON + 40 * DAY, request_id="later"))
    (row,) = records(EVER, EVERYTHING, cursor=page.newer).rows
    assert row.request_id == "later"


def test_a_cursor_goes_on_where_its_record_was(ledger: list[UsageRecord]) -> None:
    page = records(EVER, EVERYTHING, limit=50)
    expected = ids_of(records(EVER, EVERYTHING, cursor=page.older))
    page.rows[-1].delete()
    assert ids_of(records(EVER, EVERYTHING, cursor=page.older)) == expected


def test_nothing_is_found_where_nothing_can_be(ledger: list[UsageRecord]) -> None:
    for sort in SORTS:
        assert records(EVER, NOTHING, sort).rows == []
        assert records(Span(5, 5), EVERYTHING, sort).rows == []


def test_an_empty_ledger_has_an_empty_page(db: None) -> None:
    for conditions in (EVERYTHING, NOTHING, Conditions(models=frozenset({1})), Conditions(failed=True)):
        assert records(EVER, conditions) == Page([], None, None, is_first=True)


@pytest.mark.parametrize("sort", SORTS)
def test_a_cursor_survives_an_address(sort: str) -> None:
    cursor = Cursor(sort, Place(2**63 - 1, 7), back=True)
    assert read_cursor(str(cursor), sort, back=True) == cursor
    assert str(cursor).replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("text", ["x", "AAAA", "ä", "!" * 23, "A" * 400, "_" * 23, "\x00", "=", "A=A="])
def test_what_is_no_cursor_is_told(text: str) -> None:
    with pytest.raises(CursorError, match=r"no cursor of this list|another order"):
        read_cursor(text, DEFAULT_SORT)


def test_a_cursor_of_another_order_is_refused() -> None:
    with pytest.raises(CursorError, match="another order than -cost"):
        read_cursor(str(Cursor(DEFAULT_SORT, Place(1, 1))), "-cost")


def test_a_rare_filter_reads_no_more_than_its_hours(
    ledger: list[UsageRecord], django_assert_max_num_queries: Any
) -> None:
    """However far apart its records are."""
    with django_assert_max_num_queries(20):
        page = records(EVER, Conditions(failed=True, codes=((429, 429),)), limit=200)
    assert len(page.rows) == sum(row.status_code == 429 for row in ledger)


def get(api: APIClient, **query: Any) -> Any:
    answer = api.get("/api/records/", {"range": "all"} | query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_api_shows_a_record_with_its_names(api: APIClient, ledger: list[UsageRecord]) -> None:
    shown = {one["id"]: one for one in get(api, limit=200)["records"]}
    assert set(shown) == {row.pk for row in ledger}
    for row in ledger:
        one, channel, account = shown[row.pk], row.source.known_channel, row.source.account
        assert one["model"] == row.model.name
        assert (one["failed"], one["code"]) == (row.failed, row.status_code)
        assert one["channel"]["id"] == (channel.slug if channel else "unknown")
        assert one["account"] == ({"id": account.pk, "name": str(account)} if account else None)
        assert one["key"]["id"] == (row.api_key_id or 0)
        assert one["tokens"]["total"] == one["tokens"]["input"] == row.total_tokens
        assert one["cost"]["nanousd"] == row.cost_nanousd


def test_ids_of_a_record_are_what_filters_take(api: APIClient, ledger: list[UsageRecord]) -> None:
    for one in get(api)["records"][:20]:
        asked = {name: one[name]["id"] for name in ("server", "channel", "account", "key") if one[name]}
        found = get(api, **asked, model=one["model"], status="fail" if one["failed"] else "ok", limit=200)["records"]
        assert one in found


def test_the_api_leads_on_and_back(api: APIClient, ledger: list[UsageRecord]) -> None:
    first = get(api, sort="-cost", status="ok")
    assert first["is_first"]
    second = get(api, sort="-cost", status="ok", before=first["older"])
    assert not second["is_first"]
    assert get(api, sort="-cost", status="ok", after=second["newer"])["records"] == first["records"]


@pytest.mark.parametrize(
    ("query", "name", "words"),
    [
        ({"before": "FAKE"}, "before", "FAKE is no cursor of this list"),
        ({"before": "FAKE", "after": "FAKE"}, "after", "either before a cursor or after one"),
        ({"after": str(Cursor("-cost", Place(1, 1)))}, "after", "another order than -time"),
        ({"limit": "51"}, "limit", "limit=51 is none of 50, 100, 200"),
        ({"sort": "colour"}, "sort", "sort=colour is none of -time, time"),
        ({"channel": "nowhere"}, "filters", "channel=nowhere"),
        ({"range": "ever"}, "period", "range=ever is none of"),
    ],
)
def test_what_means_nothing_is_refused(api: APIClient, query: dict[str, str], name: str, words: str) -> None:
    answer = api.get("/api/records/", query)
    assert answer.status_code == 400
    assert words in str(answer.json()[name])


def test_one_record_tells_why_it_failed(api: APIClient, instance: Instance) -> None:
    book(instance, payload(failed=True, fail={"status_code": 429, "body": "slow down"}))
    row = UsageRecord.objects.get()
    answer = api.get(f"/api/records/{row.pk}/").json()
    assert (answer["failed"], answer["code"]) == (True, 429)
    assert answer["error"] == FailureText.objects.get().text == "slow down"


@pytest.mark.parametrize("pk", ["999", "9" * 30])
def test_a_record_that_is_not_there_is_404(api: APIClient, pk: str) -> None:
    assert api.get(f"/api/records/{pk}/").status_code == 404


def test_records_need_a_right_and_show_no_secret(api: APIClient, instance: Instance) -> None:
    secret = "sk-FAKE-upstream-00112233445566778899"
    book(instance, payload(source=secret, failed=True, fail={"status_code": 401, "body": f"bad key {secret}"}))
    pk = UsageRecord.objects.get().pk
    told = json.dumps([get(api), api.get(f"/api/records/{pk}/").json()])
    assert '"code": 401' in told
    assert secret not in told
    assert CLIENT_KEY not in told
    assert APIClient().get("/api/records/").status_code == 401
    assert APIClient().get(f"/api/records/{pk}/").status_code == 401
