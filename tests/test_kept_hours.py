"""Times of whole hours that a process keeps are those of the records, whatever comes in between."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from channels_app.stats import percentiles
from channels_app.stats.conditions import EVERYTHING, Conditions, Span
from channels_app.stats.kept_hours import KeptHours, Times, times
from channels_app.stats.percentiles import timing
from tests.factories import NOON, book, payload
from usage.accounting.payload import Payload
from usage.ingest.grains import HOUR
from usage.models import Instance, ModelName
from usage.models.fields import to_micros

DAY = Span(to_micros(NOON) - 12 * HOUR, to_micros(NOON) + 12 * HOUR)
# Which hour of two questions gets another record, or which hours are asked for.
steps = st.lists(
    st.tuples(st.sampled_from("ab"), st.one_of(st.integers(0, 5), st.frozensets(st.integers(0, 5), min_size=1))),
    max_size=60,
)


@given(steps, st.integers(1, 40))
def test_hours_are_read_again_when_they_have_more(steps: list[tuple[str, int | frozenset[int]]], most: int) -> None:
    kept, truth = KeptHours(most), dict.fromkeys([(asked, hour) for asked in "ab" for hour in range(6)], 0)
    for asked, step in steps:
        if isinstance(step, int):
            truth[asked, step] += 1
            continue

        def read(hours: Sequence[int], asked: str = asked) -> dict[int, Times]:
            return {hour: _times(truth[asked, hour // HOUR]) for hour in hours}

        found = kept.of(asked, {hour * HOUR: truth[asked, hour] for hour in step}, read)
        assert found == {hour * HOUR: _times(truth[asked, hour]) for hour in step}
        largest = max((2 * count for count in truth.values()), default=0)
        assert sum(hour.times.total for hour in kept._hours.values()) <= max(most, largest)


def _times(count: int) -> Times:
    return times(range(count, 0, -1), range(count))


def test_what_is_kept_is_not_read_again() -> None:
    kept, read = KeptHours(10), list[int]()

    def reading(hours: Sequence[int]) -> dict[int, Times]:
        read.extend(hours)
        return {hour: times([7], []) for hour in hours if hour}

    for _again in range(2):
        assert kept.of("any", {0: 3, HOUR: 1}, reading) == {0: times([], []), HOUR: times([7], [])}
    assert read == [0, HOUR]
    kept.of("other", {0: 3}, reading)
    assert read == [0, HOUR, 0]


def test_what_is_booked_into_an_hour_that_was_asked_for_is_in_the_next_answer(instance: Instance) -> None:
    book(instance, *(_answer(number, 100 * number, "one-FAKE") for number in range(1, 4)))
    one = Conditions(models=frozenset(ModelName.objects.filter(name="one-FAKE").values_list("pk", flat=True)))
    assert [_latencies(some) for some in (EVERYTHING, one)] == [[100, 200, 300]] * 2
    assert percentiles.kept_hours._hours

    book(instance, _answer(4, 50, "two-FAKE"), _answer(5, 400, "one-FAKE"))
    assert _latencies(EVERYTHING) == [50, 100, 200, 300, 400]
    assert _latencies(one) == [100, 200, 300, 400]


def _answer(number: int, latency: int, model: str) -> Payload:
    return payload(NOON + timedelta(minutes=number), request_id=str(number), latency_ms=latency, model=model)


def _latencies(conditions: Conditions) -> list[int]:
    return timing(DAY, conditions).latency.in_order
