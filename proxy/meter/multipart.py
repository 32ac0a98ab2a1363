"""The parts of a form (multipart/form-data), cut out of its body.

RFC 7578 and RFC 2046: a part is headers, a blank line and a value, between lines that begin with the boundary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_BOUNDARY: Final = re.compile(rb';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.I)
_NAME: Final = re.compile(
    rb'^content-disposition:[^\r\n]*?;\s*name=(?:"([^"\r\n]*)"|([^\s;"]+))', re.I | re.M
)
_FILE: Final = re.compile(rb"^content-disposition:[^\r\n]*?;\s*filename\*?=", re.I | re.M)
_MOST_PARTS: Final = 1000
_LONGEST_TEXT: Final = 1024 * 1024


class MalformedFormError(ValueError):
    """The body is not the form that its content type promises."""


@dataclass(slots=True)
class Form:
    """`texts`: the last value of each name; `files`: by name, the first of each."""

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, memoryview] = field(default_factory=dict)


def read_form(content_type: bytes, body: bytes) -> Form:
    """Cut `body` into its parts; files are views, not copies. Raises MalformedFormError."""
    found = _BOUNDARY.search(content_type)
    if found is None or not content_type.lstrip().lower().startswith(b"multipart/form-data"):
        raise MalformedFormError("the content type names no boundary of a form")
    mark = b"--" + (found[1] or found[2])
    form = Form()
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if not body.startswith(mark, at):
        raise MalformedFormError("the form does not begin")
    for _ in range(_MOST_PARTS):
        at += len(mark)
        if body.startswith(b"--", at):
            return form
        line = body.find(b"\r\n", at)
        end = body.find(b"\r\n" + mark, at)
        if line < 0 or end < 0:
            raise MalformedFormError("the form does not end")
        _add(form, body, line + 2, end)
        at = end + 2
    raise MalformedFormError(f"the form has more than {_MOST_PARTS} parts")


def _add(form: Form, body: bytes, start: int, end: int) -> None:
    blank = body.find(b"\r\n\r\n", start, end)
    if blank < 0:
        raise MalformedFormError("a part of the form has no headers")
    head = body[start:blank]
    named = _NAME.search(head)
    if named is None:
        raise MalformedFormError("a part of the form has no name")
    name = (named[1] or named[2] or b"").decode("utf-8", "replace")
    value = memoryview(body)[blank + 4 : end]
    if _FILE.search(head):
        form.files.setdefault(name, value)
    elif len(value) <= _LONGEST_TEXT:
        form.texts[name] = bytes(value).decode("utf-8", "replace")
    else:
        raise MalformedFormError(f"the field {name[:80]!r} of the form is longer than {_LONGEST_TEXT} bytes")
