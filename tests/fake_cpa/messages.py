"""HTTP requests and answers as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message

from tests.fake_cpa import go_json


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: bytes
    socket_address: str

    @property
    def client_address(self) -> str:
        """The address that gin believes: every proxy is trusted (contract A)."""
        forwarded = self.headers.get("X-Forwarded-For", "").split(",")[0].strip()
        return forwarded or self.headers.get("X-Real-IP", "").strip() or self.socket_address

    @property
    def provided_key(self) -> str:
        authorization = self.headers.get("Authorization", "").strip()
        scheme, space, rest = authorization.partition(" ")
        key = rest if space and scheme.lower() == "bearer" else authorization
        return key or self.headers.get("X-Management-Key", "")


@dataclass(frozen=True, slots=True)
class Response:
    """`popped` are the records that this answer carries and that exist nowhere else any more.

    `announced_length` is a Content-Length that need not be true; without it the connection tells the truth.
    """

    status: int
    body: bytes | Iterable[bytes] = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    popped: list[bytes] = field(default_factory=list)
    announced_length: int | None = None

    def read_pieces(self) -> Iterable[bytes]:
        return [self.body] if isinstance(self.body, bytes) else self.body

    def read(self) -> bytes:
        """The whole body at once; call it once, a streamed body is used up."""
        return self.body if isinstance(self.body, bytes) else b"".join(self.body)


_JSON = "application/json; charset=utf-8"


def json_response(body: bytes | Iterable[bytes], status: int = 200) -> Response:
    return Response(status, body, _JSON)


def error(status: int, text: str) -> Response:
    return json_response(go_json.encode_map({"error": text}), status)


def page_not_found() -> Response:
    """What gin says of a path that has no route."""
    return Response(404, b"404 page not found", "text/plain")
