"""The busiest minute is that of the records, whenever they came and whatever their sources are called by now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_app.stats import EVERYTHING, Span
from channels_app.stats import peaks as search
from channels_app.stats.peaks import peaks
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
    zones,
)
from tests.test_questions import ask, inside, questions
from usage.accounting.payload import Payload
from usage.housekeeping import jobs
from usage.ingest import attempts, rollup
from usage.ingest import peaks as stored
from usage.ingest.attempts import derive
from usage.ingest.peaks import follow_names, forget
from usage.ingest.pruning import prune
from usage.models import Account, Channel, Instance, UsagePeak, UsageRecord
from usage.models.fields import to_micros

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EVER = Span(0, to_micros(NOON + 100 * DAY))
ACCOUNTS = ("dave", "carol", "bob", "gone")
with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(15))


@pytest.fixture(params=zones("America/New_York", "Asia/Kathmandu"))
def named(request: pytest.FixtureRequest, settings: Any, instance: Instance) -> Instance:
    settings.TIME_ZONE = request.param
    list_names(
        instance,
        auth_files=auth_files(
            auth_file("dave.json", "codex", email="dave@example.com", auth_index="dave"),
            auth_file("carol.json", "codex", email="carol@example.com", auth_index="carol"),
            auth_file("bob.json", "claude", email="bob@example.com", auth_index="bob"),
        ),
    )
    return instance


# Few minutes, at the edges of hours and days, so that many requests share one.
@st.composite
def traffic(draw: Any) -> list[Payload]:
    random = draw(st.randoms(use_true_random=False))
    return [
        payload(
            NOON + random.choice([-24, -0.75, 0, 0, 1, 11.75, 12, 13, 36]) * HOUR + random.choice([-1, 0, 0, 1]) * MINUTE
            + timedelta(seconds=random.choice([0, 1, 59])),
            request_id=str(number), model=random.choice(["one-FAKE", "two-FAKE"]), auth_index=random.choice(ACCOUNTS),
            api_key=random.choice([CLIENT_KEY, CLIENT_KEY, ""]), failed=(failed := random.random() < 0.3),
            fail={"status_code": random.choice([429, 500]) if failed else 200},
            tokens={"input_tokens": random.choice([0, 10, 1_000]), "output_tokens": random.choice([0, 1, 10])},
        )
        for number in range(draw(st.integers(1, 40)))
    ]  # fmt: skip


@st.composite
def spans(draw: Any) -> Span:
    moments = st.sampled_from([-30, -24, -1, -0.5, 0, 1 / 60, 1 / 120, 1, 11.75, 12.25, 24, 36.01, 60])
    since, until = sorted((draw(moments), draw(moments)))
    return Span(to_micros(NOON + since * HOUR), to_micros(NOON + until * HOUR))


def minutes_of(rows: Iterable[UsageRecord]) -> tuple[Counter[int], Counter[int]]:
    requests, tokens = Counter[int](), Counter[int]()
    for row in rows:
        minute = to_micros(row.requested_at.replace(second=0, microsecond=0))
        requests[minute] += 1
        tokens[minute] += row.total_tokens
    return requests, tokens


def check(span: Span, asked: dict[str, list[str]], *, is_exact: bool = True) -> None:
    rows = inside(
        UsageRecord.objects.select_related("source__account__channel", "source__channel"), span.since, span.until, asked
    )
    for peak, minutes in zip(peaks(span, ask(asked)), minutes_of(rows), strict=True):
        highest = max(minutes.values(), default=0)
        assert peak.value <= highest
        assert peak.at is None or minutes[peak.at] == peak.value
        assert not peak.is_exact or peak.value == highest
        assert peak.is_exact or not is_exact


def move(name: str, to: str) -> None:
    channel = Channel.objects.get(name=to)
    Account.objects.filter(auth_index=name).update(channel=channel)


@with_database
@given(st.data())
def test_peaks_are_those_of_the_records_at_any_moment(named: Instance, data: st.DataObject) -> None:
    """Booked in batches, derived now and then, while accounts change their channels."""
    moves = [partial(move, name, to) for name in ("dave", "carol", "bob") for to in ("codex", "claude")]
    with undone(), pytest.MonkeyPatch.context() as patch:
        waiting = data.draw(traffic())
        while waiting:
            size = data.draw(st.integers(1, 12))
            book(named, *waiting[:size])
            waiting = waiting[size:]
            if data.draw(st.booleans()):
                # What happens while the hours are read, before what was found is written.
                between = data.draw(st.sampled_from([partial(book, named, *waiting[:1]), *moves]))
                before_next(data.draw(st.sampled_from([attempts, stored])), "lock_booking", between, patch)
            match data.draw(st.sampled_from(["derive", "derive some", "move", "follow", "wait"])):
                case "derive":
                    derive()
                case "derive some":
                    derive(to_micros(NOON + data.draw(st.sampled_from([1, 12, 13])) * HOUR))
                case "move":
                    data.draw(st.sampled_from(moves))()
                case "follow":
                    follow_names()
            for _ in range(2):
                check(data.draw(spans()), data.draw(questions()))
        patch.undo()
        derive()
        follow_names()
        check_without_records()


def check_without_records() -> None:
    """What is asked of one, over whole days, is known without them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_read", None)
        for asked in (
            {},
            *({"channel": [slug]} for slug in Channel.objects.values_list("slug", flat=True)),
            {"key": ["0"]},
            {"status": ["fail"]},
            {"code": ["429"]},
        ):
            check(EVER, asked)


@with_database
@given(st.data())
def test_where_too_much_would_be_read_a_peak_is_a_lower_bound(named: Instance, data: st.DataObject) -> None:
    with undone(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_MOST_READ", data.draw(st.integers(0, 10)))
        book(named, *data.draw(traffic()))
        if data.draw(st.booleans()):
            derive()
        check(data.draw(spans()), data.draw(questions()), is_exact=False)


@with_database
@given(st.data())
def test_pruned_records_leave_their_peaks(named: Instance, data: st.DataObject) -> None:
    with undone():
        book(named, *data.draw(traffic()))
        asked = data.draw(questions())
        before, of_all = peaks(EVER, ask(asked)), peaks(EVER, EVERYTHING)
        prune(NOON + data.draw(st.sampled_from([0, 1, 2])) * DAY)
        for one, other in zip(before, peaks(EVER, ask(asked)), strict=True):
            assert other.value <= one.value
            assert not other.is_exact or other.value == one.value
        assert [peak.value for peak in peaks(EVER, EVERYTHING)] == [peak.value for peak in of_all]


def test_days_that_begin_at_another_time_are_made_anew(named: Instance, settings: Any) -> None:
    book(named, *(payload(NOON + n * HOUR + (n % 3) * MINUTE, request_id=str(n), auth_index="dave") for n in range(40)))
    derive()
    settings.TIME_ZONE = "Asia/Kolkata"
    forget()
    derive()
    assert not UsagePeak.objects.filter(kind=UsagePeak.Kind.SOURCE).exclude(bucket__in=days_of_kolkata()).exists()
    check(EVER, {})
    check_without_records()


def days_of_kolkata() -> list[Any]:
    return [NOON.replace(hour=18, minute=30) + day * DAY for day in range(-3, 4)]


def test_of_equal_minutes_the_earlier_counts(named: Instance) -> None:
    for minute in (3, 1, 2):
        book(named, payload(NOON + minute * MINUTE, request_id=str(minute), auth_index="dave"))
        derive()
    assert peaks(EVER, EVERYTHING).requests.at == to_micros(NOON + MINUTE)


def test_nothing_has_no_peak(named: Instance) -> None:
    found = peaks(EVER, EVERYTHING)
    assert (found.requests.value, found.requests.at, found.requests.is_exact) == (0, None, True)


def test_the_housekeeping_follows_names(named: Instance) -> None:
    book(named, *(payload(NOON, request_id=str(n), auth_index="dave") for n in range(3)))
    derive()
    move("dave", "claude")
    assert jobs.peaks().text == "2 busiest minutes found anew"
    assert jobs.peaks().text == "0 busiest minutes found anew"
    assert set(UsagePeak.objects.filter(kind=UsagePeak.Kind.CHANNEL).values_list("target_id", flat=True)) == {
        Channel.objects.get(name="claude").pk
    }


def test_sums_that_are_made_anew_have_their_peaks(named: Instance) -> None:
    book(named, payload(NOON, auth_index="dave"))
    derive()
    UsagePeak.objects.all().delete()
    forget()
    rollup.rebuild()
    check(EVER, {})
    derive()
    check_without_records()
