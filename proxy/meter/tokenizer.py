"""Tokens of a text, by the vocabularies that ship in `config/encodings`. Nothing is ever fetched."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import tiktoken

from proxy.meter.models import EncodingName, family_of

LONGEST_PIECE = 64 * 1024
"""Longer texts are encoded in pieces of at most this many characters, cut at a space where one is near:
tiktoken overflows its stack on a long run of white space. A cut inside an unbroken run can change the
count by a few tokens; a cut at a space doesn't."""

_NEAR = 1024
_MOST_KNOWN = 20_000

# The rules that split a text before the merges, as tiktoken publishes them (MIT).
_CL100K_SPLIT = "|".join(
    (
        r"'(?i:[sdmt]|ll|ve|re)",
        r"[^\r\n\p{L}\p{N}]?+\p{L}++",
        r"\p{N}{1,3}+",
        r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
        r"\s++$",
        r"\s*[\r\n]",
        r"\s+(?!\S)",
        r"\s",
    )
)
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_O200K_SPLIT = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTION}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTION}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
_PUBLISHED: dict[EncodingName, tuple[str, str]] = {
    "cl100k_base": ("223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7", _CL100K_SPLIT),
    "o200k_base": ("446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d", _O200K_SPLIT),
}


class EncodingError(Exception):
    """A vocabulary is missing or is not the published one."""


class Tokenizer:
    """Counts the tokens of texts in one encoding. Safe in threads; it lets other threads run while it counts.

    Names of special tokens in a text (`<|endoftext|>`) count as the text they are.
    """

    __slots__ = ("_encoding", "_known")

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        self._encoding = encoding
        self._known: dict[int, int] = {}

    @property
    def name(self) -> str:
        return self._encoding.name

    def count(self, text: str) -> int:
        """How many tokens `text` is.

        Prompts repeat: roles always, and an application's instructions before each of its questions. What is
        remembered of a text is Python's hash of it, 64 bits under a key of this process' own.
        """
        if not text:
            return 0
        name = hash(text)
        count = self._known.get(name)
        if count is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            count = self._known[name] = self._counted(text)
        return count

    def _counted(self, text: str) -> int:
        if len(text) <= LONGEST_PIECE:
            return len(self._encoding.encode_ordinary(text))
        return sum(len(self._encoding.encode_ordinary(piece)) for piece in _pieces(text))


class Tokenizers:
    """Both vocabularies, loaded once."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: dict[EncodingName, Tokenizer]) -> None:
        self._by_name = by_name

    @classmethod
    def load(cls, directory: Path) -> Tokenizers:
        """Load `cl100k_base.tiktoken` and `o200k_base.tiktoken`; about 0.3 s. Raises EncodingError."""
        return cls({name: Tokenizer(_load(directory, name)) for name in _PUBLISHED})

    def named(self, name: EncodingName) -> Tokenizer:
        return self._by_name[name]

    def for_model(self, model: str) -> Tokenizer:
        """The tokenizer of a model; o200k for one that isn't known."""
        return self._by_name[family_of(model).encoding]


def _load(directory: Path, name: EncodingName) -> tiktoken.Encoding:
    path = directory / f"{name}.tiktoken"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EncodingError(f"the vocabulary {path} can't be read: {error.strerror}") from error
    digest, split = _PUBLISHED[name]
    if hashlib.sha256(content).hexdigest() != digest:
        raise EncodingError(
            f"the vocabulary {path} is not the published one: its SHA-256 differs from {digest}"
        )
    lines = (line.split() for line in content.splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    encoding = tiktoken.Encoding(name, pat_str=split, mergeable_ranks=ranks, special_tokens={})
    ranks.clear()  # it has a copy of its own; ours took another 40 MB for both
    return encoding


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    while len(text) - start > LONGEST_PIECE:
        end = start + LONGEST_PIECE
        space = text.rfind(" ", end - _NEAR, end)
        while space > 0 and not (text[space - 1].isalpha() and text[space + 1].isalpha()):
            space = text.rfind(" ", end - _NEAR, space)
        cut = space if space > start else end
        pieces.append(text[start:cut])
        start = cut
    pieces.append(text[start:])
    return pieces
