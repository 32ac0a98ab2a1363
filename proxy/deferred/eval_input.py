"""What a run of an eval may come to: every item asked of one model, and judged by others. No I/O."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from ledger.usage import Usage
from proxy.deferred.lines import Lines, LineTooLongError
from proxy.deferred.total import Total
from proxy.errors import Refusal
from proxy.meter.models import family_of
from proxy.ownership.mentions import mentioned
from proxy.pricing import Quote

_BYTES_PER_TOKEN: Final = 3
_MOST_JUDGED: Final = 4096
"""Tokens that a model takes to judge one item, where the eval sets no bound."""
_OWN_SOURCES: Final = ("file_content", "file_id")

Quoted = Callable[[str], Quote]
"""The price of a model. Raises Refusal for one that the plan excludes."""


class Items(NamedTuple):
    """How many, and how many bytes they have together."""

    number: int
    size: int


class Rows:
    """Takes the file that items come from, in any pieces. Raises Refusal 400.

    `messages`: items bring whole messages, which may refer to objects; else they are texts to be filled in.
    """

    def __init__(self, *, messages: bool) -> None:
        self.mentioned: set[str] = set()
        """Ids of objects that the items refer to."""
        self._messages = messages
        self._number = self._size = 0
        self._split = Lines()

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        try:
            for line in self._split.feed(data):
                self._line(line)
        except LineTooLongError:
            raise _unreadable("has a line that is too long") from None

    def end(self) -> Items:
        """All of the file was fed."""
        for line in self._split.end():
            self._line(line)
        return Items(self._number, self._size)

    def _line(self, line: bytes) -> None:
        self._number += 1
        if self._messages:
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                raise _unreadable("is not made of JSON lines") from None
            self.mentioned |= mentioned(line, {"row": row})


def brings_messages(request: Mapping[str, Any]) -> bool:
    """Whether the messages that a model is asked with stand in the items as they are."""
    return bool(_mapping(_mapping(request.get("data_source")).get("input_messages")).get("item_reference"))


def _unreadable(what: str) -> Refusal:
    return Refusal(400, f"The file of the items {what}.", param="data_source.source.id")


def source_of(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the items come from. Raises Refusal 400 for what reads the stored calls of the whole account, which are
    other tenants' too."""
    source = _mapping(_mapping(request.get("data_source")).get("source"))
    if source.get("type") not in _OWN_SOURCES:
        raise Refusal(
            400,
            "Items of an eval come from a file (file_id) or from the request (file_content); stored calls of all who "
            "share the account can't be read here.",
            param="data_source.source.type",
        )
    return source


def items_of(source: Mapping[str, Any]) -> Items:
    """Those that stand in the request itself."""
    content = source.get("content")
    return Items(len(content), len(orjson.dumps(content))) if isinstance(content, list) else Items(0, 0)


def eval_total(request: Mapping[str, Any], judges: Any, items: Items, quoted: Quoted) -> Total:
    """`judges` are the eval's `testing_criteria`. Raises Refusal."""
    data_source = _mapping(request.get("data_source"))
    total, answer = Total(), 0
    model = data_source.get("model")
    if isinstance(model, str) and model:
        answer = _bound(data_source) or family_of(model).max_output
        asked = items.number * _tokens(data_source.get("input_messages")) + items.size // _BYTES_PER_TOKEN
        total.add(model, quoted(model), Usage(input_tokens=asked, output_tokens=items.number * answer))
    for judge in _models(judges):
        name = judge["model"]
        read = items.number * (_tokens(judge) + answer) + items.size // _BYTES_PER_TOKEN
        written = items.number * (_bound(judge) or _MOST_JUDGED)
        total.add(name, quoted(name), Usage(input_tokens=read, output_tokens=written))
    return total


def _models(judges: Any) -> Iterator[Mapping[str, Any]]:
    """Those that are models, also within others."""
    waiting = [judges]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, Mapping):
            if isinstance(value.get("model"), str):
                yield value
            waiting += [inner for inner in value.values() if isinstance(inner, (list, Mapping))]


def _bound(asking: Mapping[str, Any]) -> int | None:
    sampling = _mapping(asking.get("sampling_params"))
    for name in ("max_completion_tokens", "max_completions_tokens"):
        given = sampling.get(name)
        if type(given) is int and given > 0:
            return given
    return None


def _tokens(text: Any) -> int:
    return len(orjson.dumps(text)) // _BYTES_PER_TOKEN if text is not None else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
