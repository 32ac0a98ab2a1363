"""A model's name changed within the bytes of a request. Pure."""

from collections.abc import Iterable
from typing import Final

import orjson

from proxy.meter.form_scanner import boundary_of, is_form
from proxy.meter.members import MalformedJsonError, members, object_start
from proxy.meter.multipart import read_form
from proxy.meter.part_head import MalformedFormError
from proxy.meter.request import put_member

_SESSION: Final = "session"
"""The configuration of a Realtime session, which has the model."""


def renamed(body: bytes, model: str) -> bytes:
    """`body` with `model` as the model of its JSON object, and of the Realtime session in it; every other byte stays. A
    body that is no JSON object, or names no model, stays as it is."""
    name = orjson.dumps(model)
    try:
        spans = [
            (member.value_start, member.value_end, member.key)
            for member in members(body, object_start(body))
            if member.key in ("model", _SESSION)
        ]
    except MalformedJsonError:
        return body
    for start, end, key in reversed(spans):
        body = body[:start] + (name if key == "model" else renamed(body[start:end], model)) + body[end:]
    return body


def renamed_in_form(body: bytes, content_type: bytes, model: str) -> bytes:
    """As `renamed`, of a form."""
    try:
        texts = read_form(content_type, body).texts
    except MalformedFormError:
        return body
    for text in reversed(texts):
        if text.name == "model":
            body = body[: text.start] + model.encode() + body[text.end :]
        elif text.name == _SESSION:
            body = body[: text.start] + renamed(body[text.start : text.end], model) + body[text.end :]
    return body


def named(body: bytes, headers: Iterable[tuple[bytes, bytes]], model: str) -> bytes:
    """`body`, of JSON or a form, with `model` as its model, whether it named one or not. What is neither stays as it
    is."""
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    try:
        if not is_form(kind):
            return put_member(body, "model", orjson.dumps(model))
        if any(text.name == "model" for text in read_form(kind, body).texts):
            return renamed_in_form(body, kind, model)
        part = b'--%b\r\ncontent-disposition: form-data; name="model"\r\n\r\n%b\r\n'
        return part % (boundary_of(kind), model.encode()) + body
    except (MalformedJsonError, MalformedFormError):
        return body
