"""What an endpoint hands back, and what it is given to make it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from simulators.openai.account import Account
from simulators.openai.errors import ApiError, Headers, unknown_model
from simulators.openai.fields import Fields
from simulators.openai.form import Form
from simulators.openai.switches import Switches
from simulators.openai.vocabulary import Vocabularies, Vocabulary


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, `cached` inside `prompt`, `reasoning` inside `completion`; and what is priced by other measures."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0
    images: int = 0
    seconds: float = 0
    characters: int = 0
    tool_calls: int = 0
    sound: int = 0
    """Of the completion."""

    @property
    def total(self) -> int:
        return self.prompt + self.completion


def total_usage(parts: Iterable[Usage]) -> Usage:
    whole = Usage()
    for part in parts:
        whole = Usage(
            whole.prompt + part.prompt,
            whole.completion + part.completion,
            whole.cached + part.cached,
            whole.reasoning + part.reasoning,
            whole.images + part.images,
            whole.seconds + part.seconds,
            whole.characters + part.characters,
            whole.tool_calls + part.tool_calls,
        )
    return whole


class Event(NamedTuple):
    """One server-sent event, with line feeds, and the tokens of text it delivers."""

    data: bytes
    tokens: int


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer in one piece."""

    body: bytes | bytearray
    usage: Usage = Usage()
    content_type: str = "application/json"
    status: int = 200
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer in events. `failure` gives the event that reports an error after so many events."""

    events: Iterable[Event]
    usage: Usage
    failure: Callable[[int, str], bytes]
    content_type: str = "text/event-stream; charset=utf-8"
    books_itself: bool = False  # the work behind it goes on without the client, and is booked when done


Answer = Whole | Stream


@dataclass(frozen=True, slots=True)
class Call:
    """A request to an endpoint: authenticated, parsed, its model known and without switches."""

    fields: Fields
    model: str
    switches: Switches
    vocabularies: Vocabularies
    seed: int
    created: int  # Unix seconds
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    account: Account
    serve: Callable[[Usage], None]  # books what is served after the answer to this request
    form: Form = field(default_factory=Form)
    seconds: float = 0.0  # `created` with its fraction

    def finished_at(self) -> float:
        """When work that this call begins is done (Unix seconds)."""
        return self.seconds + self.switches.finish / 1000

    @property
    def vocabulary(self) -> Vocabulary:
        return self.vocabularies.of(self.model)


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path; `{name}` in the path takes one segment. Found in every endpoints module."""

    method: str
    path: str
    answer: Callable[[Call], Answer]
    needs_model: bool = True
    default_model: str | None = None  # where the body may leave it out
    unknown_model: Callable[[str], ApiError] = unknown_model


def pretty(value: Any) -> bytes:
    """JSON as OpenAI prints whole answers."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def data_event(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def plain_failure(_index: int, message: str) -> bytes:
    """An error in mid-stream, as chat completions and completions report it."""
    return data_event({"error": {"message": message, "type": "server_error", "param": None, "code": None}})


_PADDING = "aB3dE5fG7hJ9kL1m"


def obfuscation(text: str) -> str:
    """Padding that hides how long a delta is."""
    return _PADDING[: -len(text) % 16]
