"""What the simulated model says: pieces whose tokens add up to the tokens of the text."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from simulators.openai.schema import example
from simulators.openai.vocabulary import Piece, Vocabulary

_ARGUMENT = "Paris"


@dataclass(frozen=True, slots=True)
class Function:
    """A tool that the caller obliges the model to call. `parameters` is its JSON schema."""

    name: str
    parameters: Any
    forced: bool  # by its name, rather than by `required`


@dataclass(frozen=True, slots=True)
class Wish:
    """What the request asks for: `tokens` is the length, `cap` the most it may cost, reasoning included."""

    tokens: int | None = None
    cap: int | None = None
    reasoning: int = 0
    stop: Sequence[str] = ()
    json: bool = False
    schema: Any = None
    function: Function | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """One choice. With `function` the pieces are the call's arguments. Name tokens are in no piece."""

    pieces: Sequence[Piece]
    cut_short: bool
    reasoning_tokens: int = 0
    function: Function | None = None
    name_tokens: int = 0

    @property
    def text(self) -> str:
        return "".join([piece.text for piece in self.pieces])

    @property
    def visible_tokens(self) -> int:
        return sum([piece.tokens for piece in self.pieces]) + self.name_tokens

    @property
    def tokens(self) -> int:
        return self.visible_tokens + self.reasoning_tokens


def digest(*parts: object) -> bytes:
    """What makes an answer this answer: equal parts give equal text."""
    return sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()


def complete(vocabulary: Vocabulary, seed: bytes, wish: Wish) -> Completion:
    reasoning = wish.reasoning if wish.cap is None else min(wish.reasoning, wish.cap)
    cap = None if wish.cap is None else wish.cap - reasoning
    if wish.function is not None:
        return _call(vocabulary, wish.function, cap, reasoning)
    length = 20 + seed[0] % 40 if wish.tokens is None else wish.tokens
    if wish.json:
        pieces = _structured(vocabulary, seed, length, wish.schema)
    else:
        pieces = vocabulary.prose(seed, length if cap is None else min(length, cap + 1))
    pieces = _stopped(vocabulary, pieces, wish.stop)
    kept = _fitting(vocabulary, pieces, cap)
    return Completion(kept, len(kept) < len(pieces), reasoning)


def _call(vocabulary: Vocabulary, function: Function, cap: int | None, reasoning: int) -> Completion:
    arguments = orjson.dumps(example(function.parameters or {}, _ARGUMENT)).decode()
    pieces = vocabulary.pieces(arguments)
    name_tokens = vocabulary.count(function.name)
    kept = _fitting(vocabulary, pieces, None if cap is None else cap - name_tokens)
    return Completion(kept, len(kept) < len(pieces), reasoning, function, name_tokens)


def _structured(vocabulary: Vocabulary, seed: bytes, length: int, schema: Any) -> list[Piece]:
    text = "".join(piece.text for piece in vocabulary.prose(seed, length))
    value = {"answer": text} if schema is None else example(schema, text)
    return vocabulary.pieces(orjson.dumps(value).decode())


def _stopped(vocabulary: Vocabulary, pieces: list[Piece], stop: Sequence[str]) -> list[Piece]:
    if not stop:
        return pieces
    text = "".join([piece.text for piece in pieces])
    ends = [end for end in (text.find(sign) for sign in stop) if end >= 0]
    return vocabulary.pieces(text[: min(ends)]) if ends else pieces


def _fitting(vocabulary: Vocabulary, pieces: list[Piece], cap: int | None) -> list[Piece]:
    """The longest beginning within the cap that a tokenizer counts just as its pieces add up."""
    if cap is None or sum([piece.tokens for piece in pieces]) <= cap:
        return pieces
    kept, total = 0, 0
    while kept < len(pieces) and total + pieces[kept].tokens <= cap:
        total += pieces[kept].tokens
        kept += 1
    while kept and vocabulary.count("".join([piece.text for piece in pieces[:kept]])) != total:
        kept -= 1
        total -= pieces[kept].tokens
    return pieces[:kept]
