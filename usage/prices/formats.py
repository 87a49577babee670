"""How prices come to the API and leave it: JSON whose numbers are never floats, and CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from usage import exact_json
from usage.prices.csv_file import MOST_BYTES


class ExactJSONParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return exact_json.loads(stream.read(MOST_BYTES).decode())
        except ValueError as error:
            raise ParseError(_("This is no JSON: %(reason)s") % {"reason": error}) from None


class CsvParser(BaseParser):
    """The bytes of a file, and one more than there may be."""

    media_type = "text/csv"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return stream.read(MOST_BYTES + 1)


class CsvRenderer(BaseRenderer):
    """The lines of `usage.prices.csv_file`; an error as it is."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return "".join(
            data if isinstance(data, list) else [f"{name}: {words}\n" for name, words in data.items()]
        ).encode()
