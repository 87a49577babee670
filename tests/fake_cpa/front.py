"""Between the sockets and the management API: here faults happen and the request log is kept."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from threading import Event

from tests.fake_cpa.faults import Answer, Faults
from tests.fake_cpa.instance import Instance
from tests.fake_cpa.management import Management
from tests.fake_cpa.messages import Request, Response


@dataclass(frozen=True, slots=True)
class Seen:
    """One request of the log; `status` 0 means that no answer was given."""

    method: str
    path: str
    status: int
    key_right: bool


class Front:
    def __init__(self, instance: Instance, faults: Faults, log: deque[Seen], resp_commands: deque[str]) -> None:
        self.instance = instance
        self.resp_commands = resp_commands
        self.stopping = Event()
        self._faults = faults
        self._log = log
        self._management = Management(instance)

    def answer(self, request: Request, target: str) -> Response:
        status = 0
        try:
            response = self.meet(target, partial(self._management.answer, request))
            status = response.status
        finally:
            key_right = request.provided_key == self.instance.management_key
            self._log.append(Seen(request.method, target, status, key_right))
        return response

    @property
    def expects_fault(self) -> bool:
        return self._faults.pending > 0

    def meet(self, target: str, answer: Answer) -> Response:
        """The answer, or what a fault that was planned for `target` makes of it."""
        fault = self._faults.take(target)
        return fault(answer, self.stopping) if fault else answer()
