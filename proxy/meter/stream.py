"""A scanner beside a stream of server-sent events: what it used, how it ended, what it delivered.

Per piece it does no more than keep it. Every `BATCH` bytes the pieces are looked through once: usage and ends
are found by bytes, and only the delivered text stays. A stream that ends well within one batch is never
decoded but for the event that carries its usage.

Bounds: `BATCH` bytes of raw events, `MAX_EVENT` of one unfinished event, `output.MAX_KEPT` characters of
text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from ledger.usage import Usage
from proxy.meter.body import usage_of_answer
from proxy.meter.deltas import collect
from proxy.meter.members import last_member
from proxy.meter.output import Output, TokenCounter
from proxy.meter.service_tier import service_tier_at_the_end, service_tier_in, service_tier_of
from proxy.meter.sse import EventSplitter, data_of, name_of
from proxy.meter.tool_calls import CALLED, count_calls, trace
from proxy.meter.usage import add_usage, read_usage, with_quantities

BATCH = 32 * 1024
MAX_EVENT = 1024 * 1024
_KEPT_END = 64 * 1024

_TYPE = re.compile(rb'\{\s*"type"\s*:\s*"([^"\\]*)"')
_NULL_USAGE_LAST = re.compile(rb'"usage"\s*:\s*null\s*(?:,\s*"obfuscation"\s*:\s*"[^"\\]*"\s*)?\}\s*$')
_ENDS = frozenset(
    {
        b"response.completed",
        b"response.incomplete",
        b"response.failed",
        b"response.cancelled",
        b"thread.run.completed",
        b"thread.run.incomplete",
        b"thread.run.failed",
        b"thread.run.cancelled",
        b"thread.run.expired",
        b"image_generation.completed",
        b"image_edit.completed",
        b"transcript.text.done",
        b"speech.audio.done",
        b"error",
    }
)
_ONE_OF_SEVERAL = frozenset({b"image_generation.completed", b"image_edit.completed"})
"""Each reports what its own image used; all other reports are of the whole."""
_MOST_CALLS = 1000
_FAILURES = frozenset({b"response.failed", b"thread.run.failed", b"error"})


@dataclass(slots=True)
class StreamReading:
    """What a stream said, up to where it passed.

    `usage` is the last one reported (they are cumulative, so never summed), None where none was. `service_tier`: the
    one named beside it, or in the last chunk of a chat that was cut. `terminal`:
    the event that ends a good or a failed answer was seen. `failed`: an error or a failed answer was seen.
    `called`: the provider's tools that were called to the end, as `tool_calls.trace` keeps them; `usage` has them
    already.
    """

    usage: Usage | None
    terminal: bool
    failed: bool
    called: tuple[Mapping[str, Any], ...]
    service_tier: str | None
    _output: Output
    _unread: list[bytes] = field(default_factory=list)

    @property
    def output(self) -> Output:
        """The text delivered. Decodes what was not decoded before, so ask only where no usage came."""
        for event in self._unread:
            collect(_decoded(data_of(event)), self._output)
        self._unread = []
        return self._output

    def delivered_tokens(self, counter: TokenCounter) -> int:
        """Tokens of what was delivered: all choices, refusals, summaries of reasoning, names and arguments
        of calls."""
        return self.output.count(counter)


class StreamScanner:
    """Fed with the bytes of one stream as they pass, in any pieces. Never raises on what they hold."""

    __slots__ = (
        "_called",
        "_end",
        "_failed",
        "_head",
        "_last",
        "_output",
        "_oversize",
        "_pieces",
        "_size",
        "_splitter",
        "_terminal",
        "_tier",
        "_usage",
    )

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._splitter = EventSplitter()
        self._output = Output()
        self._usage: Usage | None = None
        self._tier: str | None = None
        self._last = b""
        self._terminal = False
        self._failed = False
        self._called: list[dict[str, Any]] = []
        self._oversize = 0
        self._head = b""
        self._end = b""

    def feed(self, data: bytes) -> None:
        """Take the next piece. It is kept as it is, so it must not change afterwards."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= BATCH:
            for event in self._take():
                self._note(event)
                collect(_decoded(data_of(event)), self._output)
                self._last = event
            self._output.compact()

    def finish(self) -> StreamReading:
        """The reading of all that was fed. An event without its blank line counts if it is whole."""
        unread = self._take()
        rest = self._splitter.take_rest()
        if self._oversize:
            self._note_oversize(rest)
        elif rest:
            unread.append(rest)  # half an event can't be decoded, so it says nothing
        for event in unread:
            self._note(event)
        if self._tier is None and self._usage is None:
            self._tier = service_tier_in(unread[-1] if unread else self._last)
        return StreamReading(
            self._usage, self._terminal, self._failed, tuple(self._called), self._tier, self._output, unread
        )

    def _take(self) -> list[bytes]:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        events = self._splitter.feed(data)
        if events and self._oversize:
            self._note_oversize(events.pop(0))
        if self._splitter.held > MAX_EVENT:
            self._shorten(self._splitter.take_rest())
        return events

    def _shorten(self, part: bytes) -> None:
        """Keep the head and the end of an event that outgrew its bound, and wait for the rest of it."""
        if not self._oversize:
            self._head = part[:1024]
        self._oversize += len(part) - 3
        self._end = (self._end + part[:-3])[-_KEPT_END:]
        self._splitter.feed(part[-3:])  # the blank line may be cut

    def _note_oversize(self, last: bytes) -> None:
        end = (self._end + last)[-_KEPT_END:].rstrip()
        head, size = self._head, self._oversize + len(last)
        self._head, self._end, self._oversize = b"", b"", 0
        kind = _kind(head)
        if kind in _ENDS:
            self._terminal = True
            self._failed = self._failed or kind in _FAILURES
        depth = 2 if kind.startswith(b"response.") else 1
        span = last_member(end, b"usage", depth, window=_KEPT_END)
        usage = None if span is None else read_usage(_decoded(end[span[0] : span[1]]))
        if kind == b"response.output_item.done" and b'"image_generation_call"' in head:
            self._called.append({"type": "image_generation_call", "status": "completed"})
        if usage is not None and kind in _ONE_OF_SEVERAL:
            self._usage = add_usage(self._usage, usage)
        elif usage is not None:
            said = last_member(end, b"tool_usage", depth=2, window=_KEPT_END)
            report = None if said is None else _decoded(end[said[0] : said[1]])
            self._tier = service_tier_at_the_end(end, depth, _KEPT_END)
            self._usage = with_quantities(usage, count_calls(self._called, None, None, report))
        elif b"chat.completion.chunk" in head or b"text_completion" in head or b"text.delta" in kind:
            self._output.add_unread(size)

    def _note(self, event: bytes) -> None:
        """Look for usage, ends and errors by bytes; decode only the event that has one."""
        at = event.rfind(b'"usage"')
        reports = at >= 0 and _NULL_USAGE_LAST.match(event, at) is None
        if (
            not reports
            and b'"choices":[{' in event
            and b'"error"' not in event
            and event.startswith(b"data:")
        ):
            return  # a plain chunk of a chat
        data = data_of(event)
        if data == b"[DONE]":
            self._terminal = True
            return
        kind = _kind(event)
        ends = kind in _ENDS
        if kind == b"response.output_item.done" and any(called in data for called in CALLED):
            self._note_item(_decoded(data))
        if not ends and kind.startswith(b"response."):
            return
        if not ends and not reports and b'"error"' not in data:
            return
        payload = _decoded(data)
        if not isinstance(payload, dict):
            return
        self._terminal = self._terminal or ends
        if kind in _FAILURES or payload.get("error"):
            self._failed = True
        if payload.get("object") == "thread.run.step":
            return  # the run repeats what its steps used
        usage = usage_of_answer(payload)
        if usage is not None:
            self._tier = service_tier_of(payload)
            self._usage = add_usage(self._usage, usage) if kind in _ONE_OF_SEVERAL else usage

    def _note_item(self, event: Any) -> None:
        kept = trace(event.get("item")) if isinstance(event, dict) else None
        if kept is not None and len(self._called) < _MOST_CALLS:
            self._called.append(kept)


def _kind(event: bytes) -> bytes:
    """The `type` of an event: its name, else the first member of its data, else nothing."""
    name = name_of(event)
    if name and name not in (b"message", b"done"):
        return name
    match = (
        _TYPE.match(event, 6 if event.startswith(b"data: ") else 5) if event.startswith(b"data:") else None
    )
    if match is None and b'"type"' in event and b'"choices"' not in event:
        payload = _decoded(data_of(event))
        kind = payload.get("type") if isinstance(payload, dict) else None
        return kind.encode() if isinstance(kind, str) else b""
    return b"" if match is None else match[1]


def _decoded(data: bytes) -> Any:
    if not data:
        return None
    try:
        return orjson.loads(data)
    except ValueError:
        pass
    try:
        return json.loads(data)  # lone surrogates, which orjson refuses
    except (ValueError, RecursionError):
        return None
