"""A taker in a thread of its own for each server, so that a slow one delays no other."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from usage.collection.board import Board
from usage.collection.taker import Taker
from usage.models import Instance


@dataclass(slots=True)
class _Member:
    taker: Taker
    thread: threading.Thread


class Crew:
    """The takers. `news` is set whenever something new lies in the spool."""

    def __init__(self, board: Board) -> None:
        self.news = threading.Event()
        self._board = board
        self._members: dict[int, _Member] = {}

    def man(self, instances: Iterable[Instance], *, leads: bool) -> None:
        """Have takers for just those `instances`, as they are set up now; who stands by may only subscribe."""
        wanted = {instance.pk: instance for instance in instances if leads or _may_stand_by(instance)}
        for pk, member in list(self._members.items()):
            if pk not in wanted or _settings(wanted[pk]) != _settings(member.taker.instance):
                member.taker.stop()
            if not member.thread.is_alive():
                del self._members[pk]
        for pk, instance in wanted.items():
            taker = self._members[pk].taker if pk in self._members else self._hire(instance)
            taker.follow(instance)
            taker.lead(leads)

    def stop(self) -> None:
        """Let each finish what it is at."""
        for member in self._members.values():
            member.taker.stop()
        for member in self._members.values():
            member.thread.join()

    def _hire(self, instance: Instance) -> Taker:
        taker = Taker(instance, self._board, self.news.set)
        thread = threading.Thread(target=taker.run, name=f"take-{instance.pk}", daemon=True)
        self._members[instance.pk] = _Member(taker, thread)
        thread.start()
        return taker


def _settings(instance: Instance) -> tuple[object, ...]:
    return instance.base_url, instance.encrypted_key, instance.verify_tls, instance.mode


def _may_stand_by(instance: Instance) -> bool:
    return bool(settings.STANDBY_SUBSCRIBES) and instance.mode == Instance.Mode.SUBSCRIBE
