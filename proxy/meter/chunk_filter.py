"""Takes the usage, that we asked for and the client did not, out of a chat stream again.

What is left is, byte for byte, what the upstream would have sent unasked: without the chunk that brings the
usage (`choices: []`) and without the `usage` member of the others.
"""

from __future__ import annotations

import re

from proxy.meter.members import MalformedJsonError, Member, members, without
from proxy.meter.sse import EventSplitter, data_of

MAX_EVENT = 1024 * 1024
"""An unfinished event larger than this passes as it is: the chunk with the usage is never near this size."""

# `"usage":null` as the last member, but for the padding, of the object that the event ends with
_NULL_LAST = re.compile(rb'"usage"\s*:\s*null((?:\s*,\s*"obfuscation"\s*:\s*"[^"\\]*")?\s*\}\s*)$')
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_SOME_USAGE = re.compile(rb'"usage"\s*:\s*\{')


class ChunkFilter:
    """Bytes in, bytes out; holds back no more than an unfinished event."""

    __slots__ = ("_passing", "_splitter")

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._passing = False

    def feed(self, data: bytes) -> bytes:
        """What may go to the client now."""
        events = self._splitter.feed(data)
        out = []
        for event in events:
            out.append(event if self._passing else _filtered(event))
            self._passing = False
        if self._splitter.held > MAX_EVENT:
            self._passing = True
            rest = self._splitter.take_rest()
            out.append(rest[:-3])
            self._splitter.feed(rest[-3:])  # the blank line may be cut
        return out[0] if len(out) == 1 else b"".join(out)

    def flush(self) -> bytes:
        """The rest, at the end of the stream. A usage chunk that was cut short is left out."""
        rest = self._splitter.take_rest()
        if self._passing or not rest:
            return rest
        if _NO_CHOICES.search(rest) and _SOME_USAGE.search(rest):
            return b""
        return _filtered(rest)


def _filtered(event: bytes) -> bytes:
    at = event.rfind(b'"usage"')
    if at < 0:
        return event
    if (
        event.startswith(b"data:")
        and event[at - 1] == 0x2C
        and event.find(b"\n", 0, at) < 0
        and b"\r" not in event[:at]
    ):
        # The comma shows that no string is cut into, the event's end that the member is an outermost one.
        null = _NULL_LAST.match(event, at)
        if null is not None:
            return event[: at - 1] + event[null.start(1) :]
    return _filtered_by_members(event)


def _filtered_by_members(event: bytes) -> bytes:
    data = data_of(event)
    try:
        found = list(members(data))
    except MalformedJsonError:
        return event
    doomed = [member for member in found if member.key == "usage"]
    if not doomed:
        return event
    if _value(data, doomed[-1]) != b"null" and any(
        member.key == "choices"
        and _value(data, member)[:1] == b"["
        and not _value(data, member)[1:-1].strip()
        for member in found
    ):
        return b""
    return _with_data(event, data, without(data, doomed))


def _value(data: bytes, member: Member) -> bytes:
    return data[member.value_start : member.value_end]


def _with_data(event: bytes, old: bytes, new: bytes) -> bytes:
    """The event with other data. Data over several lines was cut at white space between JSON tokens, so it
    may be cut there again."""
    if event.count(old) == 1:
        return event.replace(old, new)
    lines = re.split(rb"(\r\n|\n|\r)", event)
    ends = next((lines[i + 1] for i in range(0, len(lines) - 1, 2) if lines[i].startswith(b"data:")), b"\n")
    kept = [lines[i] + lines[i + 1] for i in range(0, len(lines) - 1, 2) if not lines[i].startswith(b"data:")]
    written = [b"data: " + line + ends for line in new.split(b"\n")]
    return b"".join(written) + b"".join(kept)
