"""The parts of a form (multipart/form-data), found as its bytes pass: in any pieces, with bounded memory.

RFC 7578 and RFC 2046: a part is headers, a blank line and a value, between lines that begin with the boundary. Nothing
stands before the first of them or behind the last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from proxy.meter.part_head import LONGEST_HEAD, MalformedFormError, PartHead, read_head

LONGEST_TEXT: Final = 1024 * 1024
_BOUNDARY: Final = re.compile(
    rb';\s*boundary=(?:"([^"\\]{0,69}[^"\\\s])"|([^\s;"\\]{1,70}))[ \t]*(?=;|$)', re.I
)
_MOST_PARTS: Final = 1000


class Part(NamedTuple):
    """`value` is the text, empty of a file. It stands from `start` up to `end` in the body."""

    name: str
    is_file: bool
    value: str
    start: int
    end: int


def is_form(content_type: bytes) -> bool:
    return content_type.lstrip().lower().startswith(b"multipart/form-data")


def boundary_of(content_type: bytes) -> bytes:
    """Raises MalformedFormError for a content type that is none of a form, or leaves the boundary open."""
    found = _BOUNDARY.findall(content_type)
    told = len(re.findall(rb"boundary\s*\*?\d*\*?\s*=", content_type, re.I))
    if not is_form(content_type) or len(found) != 1 or told != 1:
        raise MalformedFormError("the content type names no boundary of a form")
    quoted, plain = found[0]
    return bytes(quoted or plain)


class FormScanner:
    """Fed with the body of one form; `finish` once it has all passed. The boundary must stand nowhere else in it: who
    reads lines more leniently would find a part there."""

    def __init__(self, content_type: bytes, longest_text: int = LONGEST_TEXT) -> None:
        """Raises MalformedFormError, as all of its methods do."""
        self._mark = b"--" + boundary_of(content_type)
        self._longest_text = longest_text
        self._buffer = b""
        self._at = 0
        self._gone = 0
        """Bytes that have passed before those of the buffer."""
        self._step: Callable[[], Part | None] = self._opening
        self._parts = 0
        self._head: PartHead | None = None
        self._start = 0
        self._text: list[bytes] = []
        self._size = 0
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Part]:
        """The parts that end with this piece. All of them must be taken."""
        self._buffer = self._buffer[self._at :] + data
        self._gone, self._at = self._gone + self._at, 0
        while True:
            before = self._at
            part = self._step()
            if part is not None:
                yield part
            if self._at == before:
                return

    def finish(self) -> None:
        if not self._ended:
            raise MalformedFormError("the form does not end")

    # Each step goes on in the buffer; where it stays, it needs more of it.

    def _opening(self) -> None:
        there = self._buffer[: len(self._mark)]
        if not self._mark.startswith(there):
            raise MalformedFormError("the form does not begin with its boundary")
        if there == self._mark:
            self._at = len(there)
            self._step = self._after_mark

    def _after_mark(self) -> None:
        following = self._buffer[self._at : self._at + 2]
        if len(following) < 2:
            return
        if following == b"--":
            self._ended = True
            self._step = self._behind
        elif following == b"\r\n":
            self._step = self._part_head
        else:
            raise MalformedFormError("a line begins as the boundary does and goes on")
        self._at += 2

    def _behind(self) -> None:
        if self._buffer[self._at :] not in (b"", b"\r", b"\r\n"):
            raise MalformedFormError("something stands behind the end of the form")

    def _part_head(self) -> None:
        blank = self._buffer.find(b"\r\n\r\n", self._at, self._at + LONGEST_HEAD)
        if blank < 0:
            if len(self._buffer) - self._at >= LONGEST_HEAD:
                raise MalformedFormError("a part of the form has no headers, or too long ones")
            return
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise MalformedFormError(f"the form has more than {_MOST_PARTS} parts")
        head = self._buffer[self._at : blank]
        if self._mark in head:
            raise MalformedFormError("a part of the form has no headers")
        self._head = read_head(head)
        self._at = blank + 4
        self._start = self._gone + self._at
        self._text, self._size = [], 0
        self._step = self._value

    def _value(self) -> Part | None:
        assert self._head is not None
        mark = self._buffer.find(self._mark, self._at)
        if mark < 0:
            # What may be the beginning of the line with the boundary waits for its rest.
            self._keep(len(self._buffer) - len(self._mark) - 1)
            return None
        end = mark - 2
        if end < self._at or self._buffer[end:mark] != b"\r\n":
            raise MalformedFormError("the boundary stands in the middle of a part")
        self._keep(end)
        self._at = mark + len(self._mark)
        self._step = self._after_mark
        value = b"".join(self._text).decode("utf-8", "replace")
        return Part(*self._head, value, self._start, self._gone + end)

    def _keep(self, end: int) -> None:
        """Of a text: what stands up to `end`."""
        assert self._head is not None
        if end <= self._at:
            return
        if not self._head.is_file:
            self._size += end - self._at
            if self._size > self._longest_text:
                name = self._head.name[:80]
                raise MalformedFormError(f"the field {name!r} is longer than {self._longest_text} bytes")
            self._text.append(self._buffer[self._at : end])
        self._at = end
