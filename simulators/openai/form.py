"""A multipart form, read as it comes: a file's bytes are held once."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

import orjson

from simulators.openai.errors import ApiError
from simulators.openai.fields import JsonObject

_LONGEST_HEAD = 16_384
_NUMBERS = {"n", "partial_images", "output_compression", "temperature", "bytes", "seconds"}
_INDEXED = re.compile(r"(\w+)\[(\w*)\](?:\[\])?")


@dataclass(frozen=True, slots=True)
class Upload:
    filename: str
    content: bytearray


@dataclass(slots=True)
class Form:
    """`members` are the fields that are no files, typed as a JSON body would have them."""

    members: JsonObject = field(default_factory=dict)
    files: dict[str, list[Upload]] = field(default_factory=dict)

    def file(self, *names: str) -> Upload:
        for name in names:
            if self.files.get(name):
                return self.files[name][0]
        raise ApiError(
            400,
            f"Missing required parameter: '{names[0]}'.",
            param=names[0],
            code="missing_required_parameter",
        )


async def read_form(chunks: AsyncIterator[bytes], content_type: str) -> Form:
    """Raises a 400 for a form without a boundary, with a broken head, or without its end."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise _broken("no boundary")
    delimiter, form = b"\r\n--" + boundary.encode(), Form()
    buffer, part = bytearray(b"\r\n"), bytearray()
    head: Message | None = None
    async for chunk in chunks:
        buffer += chunk
        while (place := buffer.find(delimiter)) >= 0:
            after = place + len(delimiter)
            if buffer[after : after + 2] == b"--":
                part += buffer[:place]
                _keep(form, head, part)
                async for _ in chunks:
                    continue
                return form
            end = buffer.find(b"\r\n\r\n", after)
            if end < 0:
                if len(buffer) - after > _LONGEST_HEAD:
                    raise _broken("a part without an end to its headers")
                break
            part += buffer[:place]
            _keep(form, head, part)
            head, part = _head(bytes(buffer[after:end])), bytearray()
            del buffer[: end + 4]
        else:
            safe = len(buffer) - len(delimiter)
            if safe > 0:
                part += memoryview(buffer)[:safe]
                buffer = buffer[safe:]
    raise _broken("no closing boundary")


def _head(data: bytes) -> Message:
    head = Message()
    for line in data.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            head[name.strip()] = value.strip()
    return head


def _keep(form: Form, head: Message | None, content: bytearray) -> None:
    if head is None:
        return  # what stands before the first part
    name = head.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise _broken("a part without a name")
    filename = head.get_filename()
    if filename is not None:
        form.files.setdefault(name.removesuffix("[]"), []).append(Upload(filename, content))
        return
    text = content.decode("utf-8", "replace")
    if indexed := _INDEXED.fullmatch(name):
        outer, inner = indexed.groups()
        if inner and not inner.isdigit():
            form.members.setdefault(outer, {})[inner] = _typed(inner, text)
        else:
            form.members.setdefault(outer, []).append(text)
    else:
        form.members[name] = _typed(name, text)


def _typed(name: str, text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if name in _NUMBERS:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text


def _broken(what: str) -> ApiError:
    return ApiError(400, f"Could not parse multipart form: {what}.", code="invalid_form")
