"""Client requests of each interval and each group are those that are asked for one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_app.stats.calls_by_time import KNOWN_OF_ATTEMPTS, calls_by
from channels_app.stats.questions import Group
from tests.factories import NOON, book, examples, undone
from tests.test_client_requests import HOUR, all_records, expected, named, traffic  # noqa: F401
from tests.test_questions import OF_RECORD, ask, inside, questions
from usage.ingest.attempts import derive
from usage.models import Instance, UsageRecord
from usage.models.fields import to_micros

with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(10))


@st.composite
def edges(draw: Any) -> list[int]:
    hours = draw(st.sets(st.sampled_from([-1, 0, 0.01, 0.5, 1, 1.01, 2, 12, 12.2, 13, 24, 60]), min_size=2, max_size=5))
    return [to_micros(NOON + hour * HOUR) for hour in sorted(hours)]


@with_database
@given(st.data())
def test_they_are_those_of_the_records(named: Instance, data: st.DataObject) -> None:  # noqa: F811
    """While some hours are derived, some have further records, and some are not derived yet."""
    with undone():
        waiting, marks = data.draw(traffic()), data.draw(edges())
        by = data.draw(st.lists(st.sampled_from(KNOWN_OF_ATTEMPTS), max_size=2, unique=True))
        for _ in range(2):
            size = data.draw(st.integers(1, 12))
            book(named, *waiting[:size])
            waiting = waiting[size:]
            if data.draw(st.booleans()):
                derive(to_micros(NOON + data.draw(st.sampled_from([1, 13, 999])) * HOUR))
        asked = data.draw(questions())
        found, rows = calls_by(marks, ask(asked), by), all_records()
        groups: dict[Group, set[int]] = {}
        for row in inside(rows, marks[0], marks[-1], asked):
            groups.setdefault(_group_of(row, by), set()).add(row.pk)
        assert found.whole.keys() == found.lines.keys() == groups.keys()
        for group, wanted in groups.items():
            assert found.whole[group] == expected(rows, wanted)
            for calls, ends in zip(found.lines[group], pairwise(marks), strict=True):
                within = {row.pk for row in inside(rows, *ends, asked)}
                assert calls == expected(rows, within & wanted)


def _group_of(row: UsageRecord, by: list[str]) -> Group:
    return tuple(OF_RECORD[name](row) for name in by)
