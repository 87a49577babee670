"""Why a payload is quarantined, in the language of the reader: the ledger keeps it in English."""

from __future__ import annotations

import re

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

# For the translators to find them: who reads records knows no Django (usage/accounting/, usage/ingest/). The last eight are
# how Python tells where JSON breaks.
FIXED = (
    _("timestamp is not in the form of RFC 3339"),
    _("timestamp has no UTC offset"),
    _("not a JSON array"),
    _("the answer breaks off"),
    _("the answer is damaged"),
    _("the answer breaks off or is damaged"),
    _("Expecting value"),
    _("Expecting ',' delimiter"),
    _("Expecting ':' delimiter"),
    _("Expecting property name enclosed in double quotes"),
    _("Unterminated string starting at"),
    _("Invalid control character at"),
    _("Invalid \\escape"),
    _("Extra data"),
)
_SHAPES = {
    re.compile(r"Expected `(?P<wanted>.+)`, got `(?P<found>.+)` - at `(?P<place>.+)`"): _(
        "Expected `%(wanted)s`, got `%(found)s` - at `%(place)s`"
    ),
    re.compile(r"Expected `(?P<wanted>.+)`, got `(?P<found>[^`]+)`"): _("Expected `%(wanted)s`, got `%(found)s`"),
    re.compile(r"expected an object, got (?P<found>\w+)"): _("expected an object, got %(found)s"),
    re.compile(r"Object missing required field `(?P<field>\w+)` - at `(?P<place>.+)`"): _(
        "Object missing required field `%(field)s` - at `%(place)s`"
    ),
    re.compile(r"Object missing required field `(?P<field>\w+)`"): _("Object missing required field `%(field)s`"),
    re.compile(r"timestamp is of (?P<year>\d+): the server's clock was not set right"): _(
        "timestamp is of %(year)s: the server's clock was not set right"
    ),
    re.compile(r"the database refused the record \((?P<kind>\w+)\)"): _("the database refused the record (%(kind)s)"),
    re.compile(r"not JSON: (?P<what>.+): line (?P<line>\d+) column (?P<column>\d+) \(char (?P<char>\d+)\)"): _(
        "not JSON: %(what)s: line %(line)s column %(column)s (char %(char)s)"
    ),
    re.compile(r"not JSON: (?P<what>.+)", re.DOTALL): _("not JSON: %(what)s"),
}


def in_words(reason: str) -> str:
    """Return `reason` in the present language; what an earlier version or a library says otherwise stays as it is."""
    for shape, text in _SHAPES.items():
        if found := shape.fullmatch(reason):
            facts = found.groupdict()
            return gettext(text) % (facts | {"what": gettext(facts["what"])} if "what" in facts else facts)
    return gettext(reason)
