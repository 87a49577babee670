"""Columns that are exact and alike on every engine: instants and prices as integers."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.dateparse import parse_datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Return an aware `moment` as microseconds since 1970 UTC."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def time_to_micros(clock: time) -> int:
    """Return a time of day as microseconds after midnight."""
    return to_micros(datetime.combine(EPOCH, clock, UTC))


def time_from_micros(micros: int) -> time:
    return from_micros(micros).time()


class InstantField(models.BigIntegerField):  # type: ignore[type-arg]
    """An aware datetime, stored as microseconds since 1970 UTC.

    SQLite would keep a datetime as 26 bytes of text, in the table and again in each index, and cut hours with other
    functions than PostgreSQL; an integer takes 8 bytes and the same arithmetic on both.
    """

    def from_db_value(self, value: int | None, *_: Any) -> datetime | None:
        return None if value is None else from_micros(value)

    def to_python(self, value: Any) -> datetime | None:
        if value is None or isinstance(value, datetime):
            return value
        if isinstance(value, int):
            return from_micros(value)
        moment = parse_datetime(value)
        if moment is None or moment.tzinfo is None:
            raise ValidationError(f"{value!r} is not a date and time with a UTC offset, such as 2026-11-23T18:12:05Z")
        return moment

    def get_prep_value(self, value: Any) -> int | None:
        return to_micros(value) if isinstance(value, datetime) else value

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        return models.Field.formfield(self, form_class=forms.DateTimeField, **kwargs)

    @property
    def validators(self) -> list[Any]:
        return []  # those of an integer column compare the stored number, not the datetime

    def value_to_string(self, obj: models.Model) -> str:
        moment = self.value_from_object(obj)
        return "" if moment is None else moment.isoformat()


class ExactDecimalField(models.BigIntegerField):  # type: ignore[type-arg]
    """A Decimal of `places` decimals, stored as an integer of its smallest unit.

    A DecimalField would be a binary float on SQLite.
    """

    places = 0
    max_digits = 12

    def to_units(self, value: Decimal | int) -> int:
        """Return `value` in units of its last place. Raises ValueError for one that has more places than are kept."""
        units = Decimal(str(value)).scaleb(self.places)
        if units != int(units):
            raise ValueError(f"{value} has more than {self.places} decimals; round it first")
        return int(units)

    def from_units(self, units: int) -> Decimal:
        return Decimal(units) / Decimal(10) ** self.places

    def from_db_value(self, value: int | None, *_: Any) -> Decimal | None:
        return None if value is None else self.from_units(value)

    def to_python(self, value: Any) -> Decimal | None:
        return value if value is None or isinstance(value, Decimal) else Decimal(str(value))

    def get_prep_value(self, value: Any) -> int | None:
        return None if value is None else self.to_units(value)

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        limits: dict[str, Any] = {"min_value": 0, "max_digits": self.max_digits, "decimal_places": self.places}
        return models.Field.formfield(self, form_class=forms.DecimalField, **(limits | kwargs))

    @property
    def validators(self) -> list[Any]:
        return []  # those of an integer column compare the stored number, not the Decimal


class UsdPerMillionField(ExactDecimalField):
    """A price as Decimal USD per 1M tokens, stored as integer nano-USD per 1,000 tokens."""

    places = 6


class UsdField(ExactDecimalField):
    """An amount as Decimal USD, stored as integer nano-USD."""

    places = 9


class FactorField(ExactDecimalField):
    """A factor below 100, stored as integer ten-thousandths."""

    places = 4
    max_digits = 6


class PercentField(ExactDecimalField):
    """A percentage, stored as integer hundredths of a percent."""

    places = 2
    max_digits = 6


class RateField(ExactDecimalField):
    """What a unit of one currency is worth in another, stored as integer millionths."""

    places = 6
    max_digits = 10
