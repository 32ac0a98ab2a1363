"""The simulator's own books: what it was asked and what it served, counted without anybody's help."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from typing import Any, Literal, Protocol

KEPT_REQUESTS = 10_000

Ending = Literal["complete", "disconnected", "cut", "error"]


class Served(Protocol):
    """The quantities of an answer: tokens, and what is priced by other measures."""

    @property
    def prompt(self) -> int: ...
    @property
    def completion(self) -> int: ...
    @property
    def cached(self) -> int: ...
    @property
    def reasoning(self) -> int: ...
    @property
    def images(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def characters(self) -> int: ...
    @property
    def tool_calls(self) -> int: ...


@dataclass(slots=True)
class Entry:
    """One request. Tokens are those served: of an unfinished stream, those of the events written."""

    request_id: str
    client_request_id: str | None
    method: str
    endpoint: str
    upstream_request_headers_seen: list[str]
    authorization_expected: bool | None  # None: no key is expected, any will do
    model: str | None = None
    stream: bool = False
    status: int | None = None
    prompt_tokens: int = 0
    completion_tokens_served: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    images: int = 0
    seconds: float = 0
    characters: int = 0
    tool_calls: int = 0
    ended: Ending | None = None  # None: still running


@dataclass(slots=True)
class Tally:
    requests: int = 0
    streams: int = 0
    completed: int = 0
    client_disconnects: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    images: int = 0
    seconds: float = 0
    characters: int = 0
    tool_calls: int = 0

    def add(self, entry: Entry) -> None:
        self.requests += 1
        self.streams += entry.stream
        self.completed += entry.ended == "complete"
        self.client_disconnects += entry.ended == "disconnected"
        self.serve(entry)

    def serve(self, entry: Entry) -> None:
        self.prompt_tokens += entry.prompt_tokens
        self.completion_tokens += entry.completion_tokens_served
        self.cached_tokens += entry.cached_tokens
        self.reasoning_tokens += entry.reasoning_tokens
        self.images += entry.images
        self.seconds += entry.seconds
        self.characters += entry.characters
        self.tool_calls += entry.tool_calls


@dataclass(slots=True)
class _Ledger:
    """What a reset throws away as a whole; requests that began before it stay with the old one."""

    total: Tally = field(default_factory=Tally)
    models: dict[str, Tally] = field(default_factory=dict)
    requests: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))


class OpenEntry:
    """An entry while its request runs. `close` books it, once."""

    def __init__(self, ledger: _Ledger, entry: Entry) -> None:
        self._ledger = ledger
        self.entry = entry

    def close(self, ending: Ending, status: int | None = None) -> None:
        entry = self.entry
        if entry.ended is not None:
            return
        entry.ended = ending
        entry.status = status or entry.status
        for tally in self._tallies():
            tally.add(entry)

    def serve(self, served: Served) -> None:
        """Adds what is served after the request has ended: by work that it began."""
        before = replace(self.entry)
        book(self.entry, served)
        for tally in self._tallies() if self.entry.ended is not None else ():
            tally.serve(_difference(self.entry, before))

    def _tallies(self) -> Iterator[Tally]:
        yield self._ledger.total
        if self.entry.model is not None:
            yield self._ledger.models.setdefault(self.entry.model, Tally())


def book(entry: Entry, served: Served) -> None:
    entry.prompt_tokens += served.prompt
    entry.completion_tokens_served += served.completion
    entry.cached_tokens += served.cached
    entry.reasoning_tokens += served.reasoning
    entry.images += served.images
    entry.seconds += served.seconds
    entry.characters += served.characters
    entry.tool_calls += served.tool_calls


_QUANTITIES = (
    "prompt_tokens",
    "completion_tokens_served",
    "cached_tokens",
    "reasoning_tokens",
    "images",
    "seconds",
    "characters",
    "tool_calls",
)


def _difference(after: Entry, before: Entry) -> Entry:
    return replace(after, **{name: getattr(after, name) - getattr(before, name) for name in _QUANTITIES})


class Books:
    def __init__(self) -> None:
        self._ledger = _Ledger()
        self.open_streams = 0

    def open(self, entry: Entry) -> OpenEntry:
        self._ledger.requests.append(entry)
        return OpenEntry(self._ledger, entry)

    def reset(self) -> None:
        self._ledger = _Ledger()

    def report(self, wanted: Mapping[str, str]) -> dict[str, Any]:
        """Everything, with the requests that match `wanted` (members of an entry and their values)."""
        ledger = self._ledger
        entries: Iterable[Entry] = ledger.requests
        for name, value in wanted.items():
            member = attrgetter(name)
            entries = [entry for entry in entries if member(entry) == value]
        return {
            "total": asdict(ledger.total),
            "models": {model: asdict(tally) for model, tally in ledger.models.items()},
            "open_streams": self.open_streams,
            "requests": [asdict(entry) for entry in entries],
        }
