"""What an answer said of its usage, as its bytes pass: a stream or one JSON body."""

from typing import Any, Final, Protocol

import orjson

from ledger.usage import Usage
from proxy.meter.body import usage_of_body
from proxy.meter.completion import output_of
from proxy.meter.output import Output
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
    def output(self) -> Output:
        """What was delivered, to be counted where the provider reported nothing."""


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
    def output(self) -> Output:
        return self._finished().output

    def _finished(self) -> StreamReading:
        if self._reading is None:
            self._reading = self._scanner.finish()
        return self._reading


class JsonAnswer:
    """One JSON body. Only a complete one says anything."""

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= LARGEST_BODY:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    @property
    def usage(self) -> Usage | None:
        return usage_of_body(b"".join(self._pieces))

    @property
    def output(self) -> Output:
        try:
            answer: Any = orjson.loads(b"".join(self._pieces))
        except orjson.JSONDecodeError:
            return Output()
        return output_of(answer)
