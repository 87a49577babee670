"""`manage.py doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import get_supported_language_variant, override
from django.utils.translation import gettext as _

from usage.doctor.diagnosis import FAIL, INFO, OK, WARN, Diagnosis
from usage.doctor.examination import examine


class Command(BaseCommand):
    help = (
        "Checks everything an operator can get wrong, here and at each CPA server, and says how to mend it. "
        "Takes no record and repeats no refused login. Ends with status 1 when a check fails."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print what was found as JSON")
        parser.add_argument("--language", metavar="CODE", help="such as zh-hans; else that of LANG")

    def handle(self, *, json: bool, language: str | None, **options: Any) -> None:
        with override(_chosen(language) if language else _language_of_environment()):
            found = self._print_json(examine()) if json else self._print_lines(examine())
        if any(diagnosis.level == FAIL for diagnosis in found):
            raise SystemExit(1)

    def _print_json(self, diagnoses: Iterable[Diagnosis]) -> list[Diagnosis]:
        found = list(diagnoses)
        self.stdout.write(json.dumps([diagnosis.as_dict() for diagnosis in found], ensure_ascii=False, indent=2))
        return found

    def _print_lines(self, diagnoses: Iterable[Diagnosis]) -> list[Diagnosis]:
        """Print each as it is found: a server that does not answer takes its time."""
        found = []
        marks = self._marks()
        for diagnosis in diagnoses:
            where = f"{diagnosis.instance}: " if diagnosis.instance else ""
            self.stdout.write(f"{marks[diagnosis.level]}  {where}{diagnosis.text}")
            if diagnosis.mend:
                self.stdout.write(f"      → {diagnosis.mend}")
            self.stdout.flush()
            found.append(diagnosis)
        levels = [diagnosis.level for diagnosis in found]
        text = _("Failures: %(failures)s, warnings: %(warnings)s.")
        self.stdout.write("\n" + text % {"failures": levels.count(FAIL), "warnings": levels.count(WARN)})
        return found

    def _marks(self) -> dict[str, str]:
        paint: dict[str, Callable[[str], str]] = {
            OK: self.style.SUCCESS,
            INFO: lambda text: text,
            WARN: self.style.WARNING,
            FAIL: self.style.ERROR,
        }
        words = {OK: _("ok"), INFO: _("info"), WARN: _("warn"), FAIL: _("fail")}
        width = max(map(len, words.values()))
        return {level: paint[level](word.ljust(width)) for level, word in words.items()}


def _chosen(language: str) -> str:
    try:
        return _supported(language)
    except LookupError:
        known = ", ".join(code for code, _name in settings.LANGUAGES)
        raise CommandError(f"there is no language {language!r}; there are: {known}") from None


def _language_of_environment() -> str:
    """The first that is set counts (POSIX, 8.2), and `C` is no language."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    try:
        return _supported(next((os.environ[name] for name in names if os.environ.get(name)), ""))
    except LookupError:
        return settings.LANGUAGE_CODE


def _supported(language: str) -> str:
    """Return ours for a locale such as `zh_CN.UTF-8`. Raises LookupError."""
    return get_supported_language_variant(language.partition(".")[0].partition("@")[0].replace("_", "-").lower())
