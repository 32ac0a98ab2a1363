"""What an answer said of its usage, as its bytes pass: a stream or one JSON body."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

from ledger.usage import Usage
from proxy.meter.body import names_service_tier, usage_at_the_end, usage_of_answer
from proxy.meter.completion import output_of
from proxy.meter.cut_json import read_cut
from proxy.meter.jobs import UNDER_WAY
from proxy.meter.output import Output
from proxy.meter.service_tier import service_tier_of
from proxy.meter.stream import StreamReading, StreamScanner

LARGEST_BODY: Final = 64 * 1024 * 1024
"""A JSON answer is read for its usage up to this size; the bytes of a larger one still pass."""


def begins_stream(data: bytes) -> bool:
    """Whether an answer that begins so is a stream, whatever its content type says: fields of events (data, event,
    id, retry) and comments begin with letters that no JSON object or list begins with."""
    return data[:1] in (b"d", b"e", b"i", b"r", b":")


class Answer(Protocol):
    """Fed with what passes; asked at the end."""

    def feed(self, data: bytes) -> None: ...

    @property
    def usage(self) -> Usage | None:
        """As the provider reported it; None where it didn't, or not yet."""

    @property
    def service_tier(self) -> str | None:
        """The one that served it; None where it doesn't say."""

    @property
    def output(self) -> Output:
        """What was delivered, to be counted where the provider reported nothing."""

    @property
    def ends(self) -> bool:
        """Whether it is the end of an answer: not one that is still worked on in the background."""

    @property
    def called(self) -> Sequence[Mapping[str, Any]]:
        """The provider's tools that a stream called to the end, as `tool_calls.trace` keeps them."""

    @property
    def body(self) -> bytes:
        """What passed of an answer that is no stream; nothing of one that is too large to be read."""

    @property
    def partial(self) -> bool:
        """Whether it is a body that was cut off, whose `output` then holds more than what it delivered."""

    def decoded(self) -> Any:
        """The whole of a JSON answer; None for a stream, and for what is no JSON."""


class StreamedAnswer:
    """A stream of server-sent events."""

    __slots__ = ("_reading", "_scanner")

    def __init__(self) -> None:
        self._scanner = StreamScanner()
        self._reading: StreamReading | None = None

    def feed(self, data: bytes) -> None:
        self._scanner.feed(data)

    @property
    def usage(self) -> Usage | None:
        return self._finished().usage

    @property
    def service_tier(self) -> str | None:
        return self._finished().service_tier

    @property
    def output(self) -> Output:
        return self._finished().output

    @property
    def ends(self) -> bool:
        return self._finished().terminal

    @property
    def called(self) -> Sequence[Mapping[str, Any]]:
        return self._finished().called

    @property
    def body(self) -> bytes:
        return b""

    @property
    def partial(self) -> bool:
        return False

    def decoded(self) -> Any:
        return None

    def _finished(self) -> StreamReading:
        if self._reading is None:
            self._reading = self._scanner.finish()
        return self._reading


class JsonAnswer:
    """One JSON body. Only a complete one says anything."""

    __slots__ = ("_decoded", "_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._decoded: list[Any] = []
        """Once asked for, until more comes: an answer is asked several things."""

    def feed(self, data: bytes) -> None:
        self._decoded.clear()
        self._size += len(data)
        if self._size <= LARGEST_BODY:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    @property
    def usage(self) -> Usage | None:
        found = usage_at_the_end(self.body)
        return usage_of_answer(self.decoded()) if found is None else found

    @property
    def service_tier(self) -> str | None:
        return service_tier_of(self.decoded()) if names_service_tier(self.body) else None

    @property
    def output(self) -> Output:
        answer = self.decoded()
        if answer is None and self._pieces:
            answer = read_cut(self.body)
        if isinstance(answer, dict) or not self._pieces:
            return output_of(answer)
        # Nothing that can be read: what passed is counted as the text it is.
        output = Output()
        output.add_text("body", self.body.decode("utf-8", "replace"))
        return output

    @property
    def partial(self) -> bool:
        return bool(self._pieces) and self.decoded() is None

    @property
    def ends(self) -> bool:
        answer = self.decoded()
        return not (isinstance(answer, dict) and str(answer.get("status")) in UNDER_WAY)

    @property
    def called(self) -> Sequence[Mapping[str, Any]]:
        return ()

    @property
    def body(self) -> bytes:
        return b"".join(self._pieces)

    def decoded(self) -> Any:
        if not self._decoded:
            try:
                self._decoded.append(orjson.loads(self.body))
            except orjson.JSONDecodeError:
                self._decoded.append(None)
        return self._decoded[0]
