"""What a batch used, line by line of its output file.

Each line answers one request: `{"id", "custom_id", "response": {"status_code", "body"}, "error"}`. The rate is the
batch's (service tier `batch`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from ledger.usage import Usage
from proxy.meter.body import usage_of_answer
from proxy.meter.image_answers import all_images
from proxy.meter.tool_calls import searches_of_chat
from proxy.meter.usage import with_quantities

LONGEST_LINE: Final = 64 * 1024 * 1024


class BatchLine(NamedTuple):
    """One answered request. `id` is the batch's own for it, unlike `custom_id` surely unique. `model` is empty, and
    `usage` None, where the answer doesn't say it."""

    id: str
    custom_id: str
    model: str
    endpoint: str
    usage: Usage | None


class BatchOutput:
    """Takes an output file in any pieces, gives its answered lines; keeps no more than one line."""

    __slots__ = ("_endpoint", "_pieces", "_size")

    def __init__(self, endpoint: str) -> None:
        """`endpoint` as the batch has it, such as `/v1/chat/completions`."""
        self._endpoint = endpoint
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[BatchLine]:
        """The lines that `data` completes. To be walked through before the next piece."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._keep(data[start:end])
            yield from self.finish()
            start = end + 1
        self._keep(data[start:])

    def finish(self) -> Iterator[BatchLine]:
        """The last line, where nothing ends it."""
        whole, line = self._size <= LONGEST_LINE, b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        found = read_line(line, self._endpoint) if whole else BatchLine("", "", "", self._endpoint, None)
        if found is not None:
            yield found

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > LONGEST_LINE:
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)


def read_line(line: bytes, endpoint: str) -> BatchLine | None:
    """None for a request that failed, which costs nothing, and for what is no line of an output file."""
    try:
        entry = orjson.loads(line)
    except ValueError:
        return None
    response = entry.get("response") if isinstance(entry, dict) else None
    if not isinstance(response, dict) or response.get("status_code") != 200:
        return None
    body = response.get("body")
    model = _text(body.get("model")) if isinstance(body, dict) else ""
    return BatchLine(
        _text(entry.get("id")), _text(entry.get("custom_id")), model, endpoint, _usage(body, model, endpoint)
    )


def _usage(body: Any, model: str, endpoint: str) -> Usage | None:
    if endpoint.endswith("/moderations"):
        return Usage()
    usage = usage_of_answer(body)
    if usage is None:
        return None
    if "/images/" in endpoint:
        return all_images(usage)
    return with_quantities(usage, searches_of_chat({}, model) if "/chat/" in endpoint else {})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
