"""`manage.py sync_prices`: what a price list would change, and with --apply the change."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage.price_lists.listed import BadPriceList
from usage.price_lists.preview import Change, Group, Proposal
from usage.price_lists.sync import READERS, Origin, Preview, apply, listed, preview_catalog, preview_list

_PUBLISHED = "published"
_HEADINGS = {
    Group.NEW: "New",
    Group.CHANGED: "Changed from now on, USD per 1M tokens",
    Group.AMBIGUOUS: "Ambiguous, left alone: choose with --choose MODEL=CANDIDATE",
    Group.LOCKED: "Locked by a person, left alone",
}


class Command(BaseCommand):
    help = (
        "Compares a price list with the prices that are here and tells what it would change; --apply writes that. Changed "
        "prices hold from now on, as further rows: records keep their cost. genai-prices is installed; the others are read "
        "from a file or, if asked, from the internet."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", choices=[Origin.CATALOG, *READERS], default=Origin.CATALOG)
        place = parser.add_mutually_exclusive_group()
        place.add_argument("--file", type=Path, metavar="F", help="the JSON file of models.dev or LiteLLM")
        place.add_argument(
            "--url", metavar="U", nargs="?", const=_PUBLISHED, help="its https address; theirs without one"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--dry-run", action="store_true", help="only tell what would change: so it is without --apply"
        )
        what.add_argument("--apply", action="store_true", help="write what is new and changed")
        parser.add_argument("--all", action="store_true", help="also models that no record has")
        parser.add_argument(
            "--choose", action="append", default=[], metavar="MODEL=CANDIDATE", help="of ambiguous ones"
        )
        parser.add_argument("--json", action="store_true")

    def handle(self, *, source: str, all: bool, choose: list[str], **options: Any) -> None:
        try:
            preview = _preview(source, options["file"], options["url"], every=all, chosen=_choices(choose))
        except BadPriceList as error:
            raise CommandError(f"{error}. Nothing was changed.") from None
        applied = len(apply(preview)) if options["apply"] else None
        if options["json"]:
            self.stdout.write(json.dumps(as_dict(preview) | {"applied": applied}, indent=2))
        else:
            self._tell(preview, applied)

    def _tell(self, preview: Preview, applied: int | None) -> None:
        for group, heading in _HEADINGS.items():
            if found := preview.of(group):
                self.stdout.write(f"{heading}:")
                self.stdout.write("\n".join(f"  {line}" for one in found for line in _lines(one)))
        self.stdout.write(", ".join(f"{count} {name}" for name, count in preview.counts.items()))
        if applied is not None:
            self.stdout.write(f"{applied} prices written. Records keep their cost until `manage.py reprice`.")
        elif any(one.rows for one in preview.proposals):
            self.stdout.write("Nothing is written; with --apply it is.")


def _preview(source: str, file: Path | None, url: str | None, *, every: bool, chosen: dict[str, str]) -> Preview:
    if source == Origin.CATALOG:
        if file or url or every:
            raise CommandError("genai-prices is installed and asked model by model: no --file, --url or --all with it")
        return preview_catalog(chosen=chosen)
    if not (file or url):
        raise CommandError(f"Say where the list of {source} is: --file F, or --url to get it from the internet")
    where = READERS[Origin(source)].URL if url == _PUBLISHED else url or ""
    return preview_list(source, listed(source, file, where), every=every, chosen=chosen)


def _choices(given: list[str]) -> dict[str, str]:
    if wrong := [one for one in given if "=" not in one]:
        raise CommandError(f"--choose {wrong[0]}: write it as MODEL=CANDIDATE")
    return dict(one.split("=", 1) for one in given)


def _lines(proposal: Proposal) -> list[str]:
    if proposal.group == Group.AMBIGUOUS:
        return [f"{proposal.model}: {', '.join(proposal.candidates)}"]
    if proposal.group == Group.LOCKED:
        return [proposal.model]
    conditions = {(row.service_tier, row.hours, row.above_input_tokens): row for row in proposal.rows}
    if proposal.group == Group.NEW:
        return [f"{proposal.model} ({proposal.candidates[0]}), prices: {len(conditions)}"]
    return [f"{proposal.model}{_condition(change)}: {change.column} {_amount(change)}" for change in proposal.changes]


def _condition(change: Change) -> str:
    above = f"> {change.above_input_tokens:,}" if change.above_input_tokens else ""
    return "".join(f" · {word}" for word in (change.service_tier, change.hours, above) if word)


def _amount(change: Change) -> str:
    percent = "" if change.percent is None else f" ({change.percent:+f} %)"
    return f"{_text(change.old) or '–'} -> {_text(change.new)}{percent}"


def as_dict(preview: Preview) -> dict[str, Any]:
    return {
        "source": preview.origin,
        "counts": preview.counts,
        "missing": preview.missing,
        "models": [
            {
                "model": one.model,
                "group": one.group.value,
                "candidates": one.candidates,
                "rows": len(one.rows),
                "changes": [_change(change) for change in one.changes],
            }
            for one in preview.proposals
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "service_tier": change.service_tier,
        "hours": change.hours,
        "above_input_tokens": change.above_input_tokens,
        "column": change.column,
        "old": _text(change.old),
        "new": _text(change.new),
        "percent": _text(change.percent),
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
