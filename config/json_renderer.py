"""Answers of the API in JSON, by msgspec: those with thousands of rows take the framework's own renderer ten times as long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from django.utils.functional import Promise
from rest_framework.renderers import JSONRenderer


class FastJSONRenderer(JSONRenderer):
    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else msgspec.json.encode(data, enc_hook=_text)


def _text(value: object) -> str:
    if isinstance(value, str | Promise):  # also what the framework derives from str
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
