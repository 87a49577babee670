"""Rows that somebody writes by the API: checked by the model's own rules, each mistake beside its field."""

from __future__ import annotations

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as Invalid
from django.db import IntegrityError, models, transaction
from rest_framework.exceptions import ValidationError


def save(row: models.Model, beside: str) -> None:
    """Raises ValidationError; what is wrong with no single field, such as a row that is there already, is told `beside`."""
    try:
        row.clean()
        row.validate_constraints()
        _write(row)
    except Invalid as error:
        told = error.message_dict.items()
        raise ValidationError({beside if name == NON_FIELD_ERRORS else name: texts for name, texts in told}) from None


def _write(row: models.Model) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        row.validate_constraints()  # somebody else was faster by an instant
        raise
