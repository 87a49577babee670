"""What the takers say of their servers, kept until the database takes it: it may be away for hours."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from typing import Any, NamedTuple

from usage.models import Instance

# Of a server whose state flutters while the database is away, the last ones.
_MOST_STATES = 50


class _Entered(NamedTuple):
    state: Instance.State
    facts: dict[str, Any]


class Board:
    """Takers write, one thread at a time flushes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._facts: dict[int, dict[str, Any]] = defaultdict(dict)
        self._states: dict[int, deque[_Entered]] = defaultdict(lambda: deque(maxlen=_MOST_STATES))
        self._wishes: set[int] = set()

    def say(self, instance: Instance, **facts: Any) -> None:
        """Note columns of `instance`, at once in memory and later in its row."""
        _set(instance, facts)
        with self._lock:
            self._facts[instance.pk] |= facts

    def enter(self, instance: Instance, state: Instance.State, **facts: Any) -> None:
        """Note that `instance` is in `state` (see Instance.enter)."""
        facts = {"reason": "", "reason_params": {}, "retry_at": None} | facts
        _set(instance, {"state": state} | facts)
        with self._lock:
            self._states[instance.pk].append(_Entered(state, facts))

    def wish_for_names(self, pk: int) -> None:
        """A record showed a credential that the server had not listed yet."""
        with self._lock:
            self._wishes.add(pk)

    def takes_wish(self, pk: int) -> bool:
        """Whether somebody wished for the names of this server since the last time."""
        with self._lock:
            is_wished = pk in self._wishes
            self._wishes.discard(pk)
            return is_wished

    def flush(self) -> None:
        """Write what was said into the database. What it does not take now is kept for the next time."""
        with self._lock:
            states = {pk: list(entered) for pk, entered in self._states.items() if entered}
            facts = {pk: dict(said) for pk, said in self._facts.items() if said}
        for pk in sorted(states):
            self._flush_states(pk, states[pk])
        for pk in sorted(facts):
            self._flush_facts(pk, facts[pk])

    def clear(self) -> None:
        """Forget what was said: somebody else speaks for the servers."""
        with self._lock:
            self._facts.clear()
            self._states.clear()

    def _flush_states(self, pk: int, states: list[_Entered]) -> None:
        row = Instance.objects.filter(pk=pk).first()
        for entered in states:
            if row:
                row.enter(entered.state, **entered.facts)
            with self._lock:
                if entered in self._states[pk]:
                    self._states[pk].remove(entered)

    def _flush_facts(self, pk: int, facts: dict[str, Any]) -> None:
        Instance.objects.filter(pk=pk).update(**facts)
        with self._lock:
            said = self._facts[pk]
            self._facts[pk] = {name: value for name, value in said.items() if facts.get(name, said) is not value}


def _set(instance: Instance, facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        setattr(instance, name, value)
