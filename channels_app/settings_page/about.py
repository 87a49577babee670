"""Which version this is, and whose work it stands on."""

from __future__ import annotations

import platform
import re
from functools import cache
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import NamedTuple

import django
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse

from channels_app.settings_page.sections import ABOUT, SectionView
from channels_app.version import version

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)
_OSI = "License :: OSI Approved :: "
_LONGEST = 60


class Dependency(NamedTuple):
    """A package that is installed here; `licence` in its own words, empty where it says none."""

    name: str
    version: str
    licence: str


class About(SectionView):
    section, template = ABOUT, "settings/about.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(
            request,
            version=version(),
            python=platform.python_version(),
            django=django.get_version(),
            database=f"{connection.display_name} {'.'.join(map(str, connection.get_database_version()))}",
            dependencies=dependencies(),
        )


@cache
def dependencies() -> list[Dependency]:
    """Return what requirements.txt pins, by name. Of what is for another system only, nothing is installed."""
    pinned = _PIN.findall((Path(settings.BASE_DIR) / "requirements.txt").read_text())
    return [found for name in pinned if (found := _dependency(name))]


def _dependency(name: str) -> Dependency | None:
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return None
    return Dependency(said["Name"], said["Version"], _licence(said))


def _licence(said: PackageMetadata) -> str:
    """An SPDX expression, else how the index classes it, else the first line of what may be a whole licence."""
    told = {name: said.get_all(name) or [] for name in ("License-Expression", "Classifier", "License")}
    classes = [one.removeprefix(_OSI) for one in told["Classifier"] if one.startswith(_OSI)]
    first_lines = [text.strip().partition("\n")[0][:_LONGEST] for text in told["License"]]
    return ", ".join(told["License-Expression"] or classes or first_lines)
