"""Busiest minutes of each interval and each group are those of the records, or it is said that they cannot be told."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_app.stats import EVERYTHING, peaks_by_time
from channels_app.stats.peaks_by_time import PeakLines, PeakQuestion
from tests.factories import NOON, book, examples, payload, undone
from tests.test_peaks import DAY, HOUR, MINUTE, minutes_of, move, named, traffic  # noqa: F401
from tests.test_questions import OF_RECORD, ask, inside, questions
from usage.ingest.attempts import derive
from usage.ingest.grains import DAILY, HOURLY
from usage.ingest.grains import DAY as DAY_OF_SUMS
from usage.ingest.peaks import follow_names
from usage.ingest.pruning import prune
from usage.models import Instance, UsageRecord
from usage.models.fields import to_micros

with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(8))
STORED = ("server", "channel", "model", "key", "code")


@st.composite
def edges(draw: Any) -> list[int]:
    hours = draw(st.sets(st.sampled_from([-30, -24, -1, 0, 1 / 60, 1 / 120, 1, 11.75, 12, 13, 24.01, 60]), min_size=2, max_size=5))  # fmt: skip
    return [to_micros(NOON + hour * HOUR) for hour in sorted(hours)]


def expected(marks: list[int], asked: dict[str, list[str]], by: list[str]) -> PeakLines:
    rows = inside(UsageRecord.objects.select_related("source__account__channel", "source__channel"), marks[0], marks[-1], asked)  # fmt: skip
    if "code" in by:
        rows = [row for row in rows if row.failed]
    found: PeakLines = {}
    for group in {tuple(OF_RECORD[name](row) for name in by) for row in rows}:
        own = [row for row in rows if tuple(OF_RECORD[name](row) for name in by) == group]
        within = [[row for row in own if since <= to_micros(row.requested_at) < until] for since, until in pairwise(marks)]  # fmt: skip
        found[group] = [
            peaks_by_time.Highest(*(max(minutes.values(), default=0) for minutes in minutes_of(some)))
            for some in within
        ]
    return found


@with_database
@given(st.data())
def test_of_few_records_all_is_told(named: Instance, data: st.DataObject) -> None:  # noqa: F811
    with undone():
        book(named, *data.draw(traffic()))
        marks, asked = data.draw(edges()), data.draw(questions())
        by = data.draw(st.lists(st.sampled_from([*STORED, "account"]), max_size=2, unique=True))
        question = PeakQuestion(marks, ask(asked), by)
        assert question.can_be_told and question.ask() == expected(marks, asked, by)


@with_database
@given(st.data())
def test_what_stored_peaks_tell_is_that_of_the_records(named: Instance, data: st.DataObject) -> None:  # noqa: F811
    """Derived or not, while accounts change their channels: where it can be told with no more than some records."""
    with undone(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(peaks_by_time, "MOST_READ", data.draw(st.sampled_from([5, 15])))
        book(named, *data.draw(traffic()))
        if data.draw(st.booleans()):
            derive()
        if data.draw(st.booleans()):
            move(*data.draw(st.sampled_from([("dave", "claude"), ("bob", "codex")])))
            follow_names()
        marks, asked = data.draw(edges()), data.draw(questions())
        by = data.draw(st.lists(st.sampled_from(STORED), max_size=1))
        question = PeakQuestion(marks, ask(asked), by)
        if question.can_be_told:
            assert question.ask() == expected(marks, asked, by)
        else:
            with pytest.raises(LookupError):
                question.ask()


@pytest.mark.parametrize("by", STORED)
def test_whole_days_are_told_without_records(named: Instance, monkeypatch: pytest.MonkeyPatch, by: str) -> None:  # noqa: F811
    monkeypatch.setattr(peaks_by_time, "MOST_READ", 0)
    book(named, *(payload(NOON + n * HOUR / 7, request_id=str(n), auth_index="dave", failed=n % 3 == 0, fail={"status_code": 429 if n % 3 == 0 else 200}) for n in range(90)))  # fmt: skip
    derive()
    start = (DAILY if by == "key" else HOURLY).start_of(to_micros(NOON - HOUR))
    marks = [start + number * DAY_OF_SUMS for number in range(4)]
    assert PeakQuestion(marks, EVERYTHING, [by]).ask() == expected(marks, {}, [by])
    assert not PeakQuestion(marks, EVERYTHING, ["account"]).can_be_told
    assert not PeakQuestion([start, to_micros(NOON + MINUTE), marks[-1]], EVERYTHING, [by]).can_be_told


def test_what_pruned_records_had_is_kept_or_unknown(named: Instance, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Of a channel that lost an account since, nobody can tell."""
    book(named, *(payload(NOON + n * MINUTE / 3, request_id=str(n), auth_index="dave" if n % 2 else "bob") for n in range(12)))  # fmt: skip
    derive()
    hour = to_micros(NOON)
    marks = [hour, hour + 3_600_000_000]
    before = PeakQuestion(marks, EVERYTHING, ["channel"]).ask()
    prune(NOON + 2 * DAY)
    assert PeakQuestion(marks, EVERYTHING, ["channel"]).ask() == before
    move("dave", "claude")
    follow_names()
    monkeypatch.setattr(peaks_by_time, "MOST_READ", 0)
    after = PeakQuestion(marks, EVERYTHING, ["channel"]).ask()
    assert after and all(line == [None] for line in after.values())
