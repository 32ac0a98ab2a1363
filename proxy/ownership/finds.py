"""The objects that one answer brings, found as it passes."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from proxy.endpoints.asked import Asked
from proxy.meter.sse import EventSplitter, data_of
from proxy.ownership.mentions import brought, brought_by_event

_MARKS: Final = (b"response.created", b"response.output_item.done", b'"chat.completion.chunk"')
"""Events that name objects; the chunks of a chat all name the same one."""


def keeps_objects(asked: Asked) -> bool:
    """Whether the upstream keeps what this request creates: a response unless told not to, a chat if told to."""
    kind = asked.endpoint.creates
    if kind == "completion":
        return asked.request.get("store") is True
    if kind == "response":
        return asked.request.get("store") is not False
    return kind is not None


class Finds:
    """Fed with the events of a stream, or given a whole body; gives each id once."""

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._known: set[str] = set()
        self.first: str | None = None
        """The object itself; those found later are parts of it."""

    def in_stream(self, data: bytes) -> set[str]:
        """Ids that this piece of a stream brings to light."""
        found: set[str] = set()
        for event in self._splitter.feed(data):
            if any(mark in event for mark in _MARKS) and not (self.first and b"chat.completion" in event):
                found |= self._of_event(data_of(event))
        return found

    def in_body(self, answer: Any) -> set[str]:
        """Ids in a decoded JSON answer."""
        own = answer.get("id") if isinstance(answer, Mapping) else None
        if isinstance(own, str):
            self.first = own
        return self._take(set(brought(answer)))

    def objects(self, kind: str) -> tuple[tuple[str, str], ...]:
        """(id, kind) of all that was found."""
        return tuple((each, kind if each == self.first else "part") for each in sorted(self._known))

    def _of_event(self, data: bytes) -> set[str]:
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            return set()
        ids = list(brought_by_event(event))
        if ids and self.first is None:
            self.first = ids[0]
        return self._take(set(ids))

    def _take(self, ids: set[str]) -> set[str]:
        fresh = ids - self._known
        self._known |= fresh
        return fresh
