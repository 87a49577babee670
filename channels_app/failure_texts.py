"""What upstream said of single failures, in a line each."""

from __future__ import annotations

from collections.abc import Sequence

from usage.accounting.failures import message_of
from usage.models import FailureText, UsageRecord
from usage.redaction import redact


def first_lines(rows: Sequence[UsageRecord], most: int) -> dict[int, str]:
    """Return at most so many characters of the message in each failure's text, by the record's id; not of those that have none."""
    texts = FailureText.objects.in_bulk([row.pk for row in rows])
    # What JSON had escaped may be a key.
    lines = {pk: redact(message_of(found.text)).strip().splitlines() for pk, found in texts.items()}
    return {pk: some[0][:most] for pk, some in lines.items() if some}
