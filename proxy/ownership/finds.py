"""The objects that one answer brings, found as it passes."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from proxy.endpoints.asked import Asked
from proxy.endpoints.endpoint import Endpoint
from proxy.meter.sse import EventSplitter, data_of
from proxy.ownership.mentions import brought

_MARKS: Final = (
    b"response.created",
    b"response.output_item.done",
    b'"chat.completion.chunk"',
    b"thread.created",
    b"thread.run.created",
    b"thread.message.completed",
)
"""Events that name objects; the chunks of a chat all name the same one."""
_PART: Final = "part"


def keeps_objects(asked: Asked) -> bool:
    """Whether the upstream keeps what this request creates: a response unless told not to, a chat if told to, and the
    sound of one always."""
    match asked.endpoint.creates:
        case "completion":
            return asked.request.get("store") is True or isinstance(asked.request.get("audio"), Mapping)
        case "response":
            return asked.request.get("store") is not False
        case kind:
            return kind is not None


def brings_objects(asked: Asked) -> bool:
    """Whether its answer names objects that are the caller's from then on."""
    return bool(asked.endpoint.brings) or keeps_objects(asked)


class Finds:
    """Fed with the events of a stream, or given a whole body; gives each id once."""

    def __init__(self, endpoint: Endpoint, request: Mapping[str, Any] | None = None) -> None:
        """What `request` names itself is not brought by its answer: who invents an id does not come to own it."""
        self.first: str | None = None
        """The object that the call is about; those found beside it are parts of it, or are brought by it."""
        self._endpoint = endpoint
        self._splitter = EventSplitter()
        self._kinds: dict[str, str] = {}
        self._request = request
        self._written: bytes | None = None

    def in_stream(self, data: bytes) -> list[str]:
        """Ids that this piece of a stream brings to light."""
        found: list[str] = []
        for event in self._splitter.feed(data):
            if any(mark in event for mark in _MARKS) and not self._repeats(event):
                found += self._in_event(data_of(event))
        return found

    def _repeats(self, event: bytes) -> bool:
        """Whether it is one more chunk of a chat: but for the first, only one that begins to sound names anything."""
        if self.first is None or b"chat.completion" not in event:
            return False
        return len(self._kinds) > 1 or b'"audio"' not in event

    def in_body(self, answer: Any) -> list[str]:
        """Ids in a decoded JSON answer."""
        return self._take(answer, self._endpoint.creates)

    @property
    def objects(self) -> tuple[tuple[str, str], ...]:
        """(id, kind) of all that was found."""
        return tuple(sorted(self._kinds.items()))

    def _in_event(self, data: bytes) -> list[str]:
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            return []
        if not isinstance(event, Mapping):
            return []
        if isinstance(event.get("response"), Mapping):
            return self._take(event["response"], self._endpoint.creates)
        if isinstance(event.get("item"), Mapping):
            return self._take(event["item"], _PART)
        match event.get("object"):
            case "thread":
                return self._take(event, "thread")
            case "thread.message":
                return self._take(event, _PART)
            case _:
                return self._take(event, self._endpoint.creates)

    def _take(self, answer: Any, kind: str | None) -> list[str]:
        """What `answer` brings; `kind` is its own, None where it is none of the caller's making."""
        if not isinstance(answer, Mapping):
            return []
        parts: list[tuple[str, str]] = []
        found: list[tuple[str, str]] = []
        own = answer.get("id")
        if kind is not None:
            if isinstance(own, str) and own:
                found.append((own, kind))
                if kind == self._endpoint.creates and self.first is None:
                    self.first = own
            parts += ((each, _PART) for each in brought(answer))
        for path, what in self._endpoint.brings:
            parts += ((each, what) for each in _at(answer, path.split(".")))
        found += (part for part in parts if not self._is_named(part[0]))
        fresh = [(each, what) for each, what in found if each not in self._kinds]
        self._kinds.update(reversed(fresh))
        return list(dict.fromkeys(each for each, _ in fresh))

    def _is_named(self, identifier: str) -> bool:
        if not self._request or identifier in self._kinds:
            return False
        if self._written is None:
            self._written = orjson.dumps(self._request)
        return orjson.dumps(identifier) in self._written


def _at(value: Any, path: list[str]) -> Iterator[str]:
    """The ids at a path of members; a list on the way stands for each of its elements."""
    if isinstance(value, list):
        for element in value:
            yield from _at(element, path)
    elif path and isinstance(value, Mapping):
        yield from _at(value.get(path[0]), path[1:])
    elif not path and isinstance(value, str) and value:
        yield value
