"""A model's name changed within the bytes of a request. Pure."""

import orjson

from proxy.meter.members import MalformedJsonError, members, object_start


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
