"""The parts of a form (multipart/form-data), cut out of its body.

RFC 7578 and RFC 2046: a part is headers, a blank line and a value, between lines that begin with the boundary. Nothing
stands before the first of them or behind the last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from proxy.meter.part_head import LONGEST_HEAD, MalformedFormError, read_head

_BOUNDARY: Final = re.compile(rb';\s*boundary=(?:"([^"\\]{1,70})"|([^\s;"\\]{1,70}))[ \t]*(?=;|$)', re.I)
_MOST_PARTS: Final = 1000
LONGEST_TEXT: Final = 1024 * 1024


class Text(NamedTuple):
    """A field that is no file, and the half-open span of its value in the body."""

    name: str
    value: str
    start: int
    end: int


@dataclass(slots=True)
class Form:
    """In the order in which they stand. Files are views, not copies."""

    texts: list[Text] = field(default_factory=list)
    files: list[tuple[str, memoryview]] = field(default_factory=list)


def is_form(content_type: bytes) -> bool:
    return content_type.lstrip().lower().startswith(b"multipart/form-data")


def boundary_of(content_type: bytes) -> bytes:
    """Raises MalformedFormError for a content type that is none of a form, or leaves the boundary open."""
    found = _BOUNDARY.findall(content_type)
    if not is_form(content_type) or len(found) != 1 or content_type.lower().count(b"boundary=") != 1:
        raise MalformedFormError("the content type names no boundary of a form")
    quoted, plain = found[0]
    return bytes(quoted or plain)


def read_form(content_type: bytes, body: bytes) -> Form:
    """Raises MalformedFormError."""
    mark = b"--" + boundary_of(content_type)
    form = Form()
    if not body.startswith(mark):
        raise MalformedFormError("the form does not begin with its boundary")
    at = 0
    for _ in range(_MOST_PARTS):
        at += len(mark)
        if body.startswith(b"--", at):
            if body[at + 2 :] not in (b"", b"\r\n"):
                raise MalformedFormError("something stands behind the end of the form")
            return form
        if not body.startswith(b"\r\n", at):
            raise MalformedFormError("a line begins as the boundary does and goes on")
        end = body.find(b"\r\n" + mark, at)
        if end < 0:
            raise MalformedFormError("the form does not end")
        _add(form, body, at + 2, end)
        at = end + 2
    raise MalformedFormError(f"the form has more than {_MOST_PARTS} parts")


def _add(form: Form, body: bytes, start: int, end: int) -> None:
    blank = body.find(b"\r\n\r\n", start, min(end, start + LONGEST_HEAD))
    if blank < 0:
        raise MalformedFormError("a part of the form has no headers")
    head = read_head(body[start:blank])
    start = blank + 4
    if head.is_file:
        form.files.append((head.name, memoryview(body)[start:end]))
        return
    if end - start > LONGEST_TEXT:
        raise MalformedFormError(
            f"the field {head.name[:80]!r} of the form is longer than {LONGEST_TEXT} bytes"
        )
    form.texts.append(Text(head.name, body[start:end].decode("utf-8", "replace"), start, end))
