"""What a model put out, as far as it counts: text by channel, and calls of tools."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

MAX_KEPT = 256 * 1024
"""Characters kept of one output. Beyond it the rest is counted at the rate of what was kept."""


class TokenCounter(Protocol):
    """Anything that knows how many tokens a text is."""

    def count(self, text: str) -> int: ...


class Output:
    """Text of one answer, put together piece by piece, in bounded memory.

    A channel is one run of text that the model wrote in one go: the content of a choice, a refusal, a summary
    of reasoning. A call is the name and the arguments of one tool call.
    """

    __slots__ = ("_arguments", "_names", "_text", "kept", "seen")

    def __init__(self) -> None:
        self._text: dict[Hashable, list[str]] = {}
        self._names: dict[Hashable, str] = {}
        self._arguments: dict[Hashable, list[str]] = {}
        self.kept = 0
        self.seen = 0

    @property
    def calls(self) -> list[list[tuple[str, str]]]:
        """The calls as name and arguments, those of one turn (one choice) together."""
        turns: dict[Hashable, list[tuple[str, str]]] = {}
        for call in dict.fromkeys([*self._names, *self._arguments]):
            turn = call[0] if isinstance(call, tuple) else None
            made = (self._names.get(call, ""), "".join(self._arguments.get(call, ())))
            turns.setdefault(turn, []).append(made)
        return list(turns.values())

    @property
    def whole(self) -> bool:
        """Whether all of the text was kept, so that the count is not extrapolated."""
        return self.kept == self.seen

    def add_text(self, channel: Hashable, piece: object) -> None:
        """Append to a channel; what is not a text is left out."""
        self._append(self._text, channel, piece)

    def add_name(self, call: Hashable, name: object) -> None:
        """Name a call; the first name stays (some providers repeat it in every delta)."""
        if isinstance(name, str) and name and call not in self._names:
            self._names[call] = name[:1024]

    def add_arguments(self, call: Hashable, piece: object) -> None:
        """Append to the arguments of a call; what is not a text is left out."""
        self._append(self._arguments, call, piece)

    def add_unread(self, characters: int) -> None:
        """Note text that passed but was too large to be read; it is counted at the rate of the rest."""
        self.seen += max(characters, 0)

    def count(self, counter: TokenCounter) -> int:
        """Tokens of all channels, and of the names and arguments of all calls."""
        runs = [*self._text.values(), *self._arguments.values()]
        tokens = sum(counter.count("".join(run)) for run in runs)
        if not self.whole:
            rate = tokens / self.kept if self.kept else 0.25
            tokens = round(rate * self.seen)
        return tokens + sum(map(counter.count, self._names.values()))

    def _append(self, runs: dict[Hashable, list[str]], key: Hashable, piece: object) -> None:
        if not isinstance(piece, str) or not piece:
            return
        self.seen += len(piece)
        piece = piece[: max(MAX_KEPT - self.kept, 0)]
        if piece:
            self.kept += len(piece)
            runs.setdefault(key, []).append(piece)

    def compact(self) -> None:
        """Join the pieces of each run into one."""
        for run in (*self._text.values(), *self._arguments.values()):
            if len(run) > 1:
                run[:] = ["".join(run)]
