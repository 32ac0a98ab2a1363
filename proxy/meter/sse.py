"""Server-sent events, cut out of a byte stream as it arrives in any pieces."""

from __future__ import annotations

import re

_BOUNDARY = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventSplitter:
    """Cuts a stream behind each blank line. The pieces, put together again, are the stream.

    The cut doesn't depend on how the stream arrived: a piece that ends in CR is held until it is known
    whether LF follows.
    """

    __slots__ = ("_held", "_searched")

    def __init__(self) -> None:
        self._held = bytearray()
        self._searched = 0

    @property
    def held(self) -> int:
        """How many bytes wait for their event's end."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """The events that `data` completes, each with the blank line that ends it."""
        held = self._held
        if held:
            held += data
            data = bytes(held) if _may_end(held, self._searched) else b""
            if not data:
                self._searched = max(len(held) - 3, 0)
                return []
            held.clear()
        events: list[bytes] = []
        start = 0
        if b"\r" in data:
            for boundary in _BOUNDARY.finditer(data):
                if boundary.end() == len(data) and data.endswith(b"\r"):
                    break
                events.append(data[start : boundary.end()])
                start = boundary.end()
        else:
            end = data.find(b"\n\n")
            while end >= 0:
                events.append(data[start : end + 2])
                start = end + 2
                end = data.find(b"\n\n", start)
        if start < len(data):
            held += data[start:]
        self._searched = max(len(held) - 3, 0)
        return events

    def take_rest(self) -> bytes:
        """What came behind the last blank line, and forget it."""
        rest = bytes(self._held)
        self._held.clear()
        self._searched = 0
        return rest


def _may_end(held: bytearray, start: int) -> bool:
    boundary = _BOUNDARY.search(held, start)
    return boundary is not None and not (boundary.end() == len(held) and held.endswith(b"\r"))


def data_of(event: bytes) -> bytes:
    """The `data` of an event: its data lines joined by LF, as the standard says; empty where it has none."""
    if event.startswith(b"data: ") and b"\r" not in event:
        end = event.find(b"\n")
        if end < 0 or end >= len(event) - 2:
            return event[6:].rstrip(b"\n")
    return b"\n".join(_field(event, b"data"))


def name_of(event: bytes) -> bytes:
    """The event's name (`event:`), empty where it has none."""
    if event.startswith(b"data:"):
        return b""
    names = _field(event, b"event")
    return names[-1] if names else b""


def _field(event: bytes, name: bytes) -> list[bytes]:
    values: list[bytes] = []
    for line in _LINE_END.split(event):
        field, colon, value = line.partition(b":")
        if field == name and colon:
            values.append(value[1:] if value.startswith(b" ") else value)
    return values
