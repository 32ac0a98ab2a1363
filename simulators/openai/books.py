"""The simulator's own books: what it was asked and what it served, counted without anybody's help."""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

KEPT_REQUESTS = 10_000

Ending = Literal["complete", "disconnected", "cut", "error"]


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

    def add(self, entry: Entry) -> None:
        self.requests += 1
        self.streams += entry.stream
        self.completed += entry.ended == "complete"
        self.client_disconnects += entry.ended == "disconnected"
        self.prompt_tokens += entry.prompt_tokens
        self.completion_tokens += entry.completion_tokens_served
        self.cached_tokens += entry.cached_tokens
        self.reasoning_tokens += entry.reasoning_tokens


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
        self._ledger.total.add(entry)
        if entry.model is not None:
            self._ledger.models.setdefault(entry.model, Tally()).add(entry)


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
        return {
            "total": asdict(ledger.total),
            "models": {model: asdict(tally) for model, tally in ledger.models.items()},
            "open_streams": self.open_streams,
            "requests": [
                asdict(entry)
                for entry in ledger.requests
                if all(getattr(entry, name) == value for name, value in wanted.items())
            ],
        }
