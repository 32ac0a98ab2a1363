"""Reading what a request brings: its body, its query, and the types that both share."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from starlette.datastructures import Headers
from starlette.types import Receive

from console.call import Nothing
from console.errors import invalid
from ledger.records import plain_text
from proxy.errors import Refusal

MAX_BODY_BYTES = 1_000_000
BODY_SECONDS = 10.0
MAX_QUERY_BYTES = 8_192

ModelT = TypeVar("ModelT", bound=BaseModel)

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class ClientGoneError(Exception):
    """The client left before its request was complete: nobody waits for an answer."""


def _moment(value: object) -> datetime:
    # In a query `+` means a space; a time zone's sign is the only thing it can have been.
    text = re.sub(r" (\d\d:\d\d)$", r"+\1", value.upper()) if isinstance(value, str) else ""
    if not _RFC3339.fullmatch(text):
        raise ValueError("must be an RFC 3339 time with its time zone, such as 2026-11-21T09:30:00Z")
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a time that exists") from None
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("must lie between the years 2000 and 2200")
    return moment


Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64, strict=True), AfterValidator(plain_text)]
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strict=True), AfterValidator(plain_text)
]


async def read_body(headers: Headers, receive: Receive, model: type[ModelT]) -> ModelT:
    """The body as `model`. Raises Refusal, and ClientGoneError."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            data = await _bytes(headers, receive)
    except TimeoutError:
        raise Refusal(408, "the body did not arrive in time", code="timeout") from None
    if not data and issubclass(model, Nothing):
        return _validated(model, {})
    _check_type(headers)
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"the body is not valid JSON: {error.msg}", code="invalid_json") from None
    return _validated(model, content)


def read_query(query: bytes, model: type[ModelT]) -> ModelT:
    """The query string as `model`. Raises Refusal."""
    if len(query) > MAX_QUERY_BYTES:
        raise Refusal(414, f"the query is longer than {MAX_QUERY_BYTES} bytes", code="query_too_long")
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise Refusal(400, "the query is not percent-encoded UTF-8", code="invalid_query") from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise Refusal(400, f"'{name[:100]}' is given twice", code="invalid_value", param=name[:100])
        values[name] = value
    return _validated(model, {name: value for name, value in values.items() if value})


async def _bytes(headers: Headers, receive: Receive) -> bytes:
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdecimal() and int(length[:20]) > MAX_BODY_BYTES:
        raise _too_large()
    data = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        data += message.get("body", b"")
        if len(data) > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(data)


def _too_large() -> Refusal:
    message = f"the body is larger than {MAX_BODY_BYTES} bytes"
    return Refusal(413, message, code="body_too_large", headers=((b"connection", b"close"),))


def _check_type(headers: Headers) -> None:
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" or headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(
            415,
            "the body must be plain JSON, with content-type application/json",
            code="unsupported_media_type",
        )


def _validated(model: type[ModelT], content: Any) -> ModelT:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise invalid(error) from None
