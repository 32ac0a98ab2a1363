"""OpenAI's vocabularies, read from files, and prose whose tokens are known without counting them."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import shake_256
from pathlib import Path
from typing import NamedTuple

import tiktoken

from simulators.openai.catalogue import encoding_name

# How each vocabulary cuts a text before it looks for tokens (facts published with tiktoken).
_PATTERNS = {
    "cl100k_base": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    "o200k_base": (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}

# Every word and sign here is one token in both vocabularies, so that any beginning of a text made of
# them has as many tokens as pieces. Quotes, dashes and accents are there to be met in JSON and UTF-8.
_SENTENCES = (
    "The river is wide and slow in the summer.",
    "A small boat waits near the old stone bridge.",
    "Every morning the market opens before the sun is high.",
    'She said "the café is open" and walked home.',
    "The baker sells bread, fruit and strong coffee.",
    "It costs about 12 € and takes 30 minutes — not more.",
    "A letter from Paris came with the first train.",
    'The field "usage" was null in that table.',
    "Two plus two is four; that much is certain.",
    "Water becomes ice at 0 °C and steam at 100 °C.",
    "The north wind brings rain, the south wind brings heat.",
    "In the evening the city is quiet and the lights are warm.",
    "Children run across the square to feed the birds.",
    "Nobody knows who built the tower on the hill.",
    "A good map shows every road, but not every reason.",
    "The museum keeps its oldest book in a glass box.",
)
_PARAGRAPH = 4  # sentences


class Piece(NamedTuple):
    """What one streamed chunk carries."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class _Sentence:
    opening: tuple[Piece, ...]  # at the start of a paragraph
    following: tuple[Piece, ...]  # after another sentence
    closing: Piece  # the full stop that also ends the paragraph


class Vocabulary:
    def __init__(self, name: str, ranks: dict[bytes, int]) -> None:
        self._encoding = tiktoken.Encoding(
            name, pat_str=_PATTERNS[name], mergeable_ranks=ranks, special_tokens={}
        )
        self._sentences = [self._sentence(text) for text in _SENTENCES]

    def count(self, text: str) -> int:
        return len(self._encoding.encode_ordinary(text))

    def pieces(self, text: str) -> list[Piece]:
        """The text token by token; tokens that share a character stay together."""
        pieces: list[Piece] = []
        held, tokens = b"", 0
        for token in self._encoding.encode_ordinary(text):
            held += self._encoding.decode_single_token_bytes(token)
            tokens += 1
            try:
                pieces.append(Piece(held.decode(), tokens))
            except UnicodeDecodeError:
                continue
            held, tokens = b"", 0
        return pieces

    def prose(self, digest: bytes, tokens: int) -> list[Piece]:
        """Text of exactly so many tokens, the same for the same digest."""
        pieces: list[Piece] = []
        for number, choice in enumerate(_endless(digest)):
            if len(pieces) >= tokens:
                break
            sentence = self._sentences[choice % len(self._sentences)]
            pieces += sentence.following if number % _PARAGRAPH else sentence.opening
            if number % _PARAGRAPH == _PARAGRAPH - 1:
                pieces[-1] = sentence.closing
        return pieces[:tokens]

    def _sentence(self, text: str) -> _Sentence:
        opening, following = tuple(self.pieces(text)), tuple(self.pieces(" " + text))
        return _Sentence(opening, following, Piece(text[-1] + "\n\n", 1))


class Vocabularies:
    """Both vocabularies, loaded once at start-up."""

    def __init__(self, directory: Path) -> None:
        self._by_name = {name: Vocabulary(name, read_ranks(directory, name)) for name in _PATTERNS}

    def of(self, model: str) -> Vocabulary:
        return self._by_name[encoding_name(model)]


def read_ranks(directory: Path, name: str) -> dict[bytes, int]:
    """A `.tiktoken` file: per line a token in base64, a space, its rank."""
    lines = re.findall(rb"(\S+) (\d+)", (directory / f"{name}.tiktoken").read_bytes())
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def _endless(digest: bytes) -> Iterator[int]:
    while True:
        yield from digest
        digest = shake_256(digest).digest(64)
