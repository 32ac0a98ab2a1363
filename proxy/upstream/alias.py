"""A model's name changed within the bytes of a request. Pure."""

import orjson

from proxy.meter.members import MalformedJsonError, members, object_start
from proxy.meter.multipart import read_form
from proxy.meter.part_head import MalformedFormError


def renamed(body: bytes, model: str) -> bytes:
    """`body` with `model` as the model of its JSON object; every other byte stays. A body that is no JSON object, or
    names no model, stays as it is."""
    name = orjson.dumps(model)
    try:
        spans = [
            (member.value_start, member.value_end)
            for member in members(body, object_start(body))
            if member.key == "model"
        ]
    except MalformedJsonError:
        return body
    for start, end in reversed(spans):
        body = body[:start] + name + body[end:]
    return body


def renamed_in_form(body: bytes, content_type: bytes, model: str) -> bytes:
    """As `renamed`, of a form."""
    try:
        texts = read_form(content_type, body).texts
    except MalformedFormError:
        return body
    name = model.encode()
    for text in reversed(texts):
        if text.name == "model":
            body = body[: text.start] + name + body[text.end :]
    return body
