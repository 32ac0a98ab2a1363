"""Which upstreams may answer for a model, and in which order they are asked. Pure."""

import re
from collections.abc import Callable, Sequence
from enum import Enum, auto
from fnmatch import translate
from typing import Final, Generic, NamedTuple, TypeVar

from config.upstreams.schema import Entry

_MOST_REMEMBERED: Final = 4096

T = TypeVar("T")


class Bound(Enum):
    """To the home of a model: of the upstreams that serve it, the first listed of the lowest priority."""

    NOT = auto()
    FIRST = auto()
    """It leaves something there that may be asked for later."""
    ONLY = auto()
    """It asks for something that lies there."""


class Way(NamedTuple, Generic[T]):
    """One upstream for a request; `model` is its own name for the model, None where that is the client's."""

    upstream: T
    model: str | None


class _Door(NamedTuple, Generic[T]):
    entry: Entry
    upstream: T
    pattern: re.Pattern[str] | None


class Router(Generic[T]):
    """Knows which upstream serves what."""

    def __init__(self, served: Sequence[tuple[Entry, T]], chance: Callable[[], float]) -> None:
        """`chance` gives numbers from 0 to below 1."""
        self._doors = sorted(
            (_Door(entry, upstream, _pattern(entry)) for entry, upstream in served),
            key=lambda door: door.entry.priority,
        )
        self._chance = chance
        self._remembered: dict[str, tuple[tuple[_Door[T], Way[T]], ...]] = {}

    def ways(
        self, model: str, bound: Bound, available: Callable[[Way[T]], bool], keeper: str = ""
    ) -> tuple[Way[T], ...]:
        """Best first; empty where nobody serves the model. Every upstream serves a call without one (empty).

        Those not available are left out unless all are. `keeper` is the name of the upstream where the things lie
        that are asked for, empty where nobody knows.
        """
        serving = self._serving(model)
        if bound is Bound.ONLY:
            serving = [item for item in serving if item[0].entry.name == keeper][:1] or serving[:1]
        elif len(serving) > 1:
            serving = [item for item in serving if available(item[1])] or serving
            if bound is Bound.NOT:
                serving = self._by_chance(serving)
        return tuple(way for _, way in serving)

    def _serving(self, model: str) -> Sequence[tuple[_Door[T], Way[T]]]:
        found = self._remembered.get(model)
        if found is None:
            found = tuple((door, way) for door in self._doors if (way := _way(door, model)) is not None)
            if len(self._remembered) >= _MOST_REMEMBERED:  # clients may name any model
                self._remembered.clear()
            self._remembered[model] = found
        return found

    def _by_chance(self, serving: Sequence[tuple[_Door[T], Way[T]]]) -> Sequence[tuple[_Door[T], Way[T]]]:
        """By priority; among equals at random, so that each comes first in proportion to its weight."""
        # The greatest of chance ** (1 / weight) is each one's with the probability of its share.
        drawn = [(door.entry.priority, -(self._chance() ** (1 / door.entry.weight))) for door, _ in serving]
        return [serving[at] for at in sorted(range(len(serving)), key=drawn.__getitem__)]


def _pattern(entry: Entry) -> re.Pattern[str] | None:
    patterns = entry.models or (() if entry.aliases else ("*",))
    # A bracket is no set of characters here: names of models may hold one.
    each = [translate(pattern.replace("[", "[[]")) for pattern in patterns]
    return re.compile("|".join(each)) if each else None


def _way(door: _Door[T], model: str) -> Way[T] | None:
    if model in door.entry.aliases:
        return Way(door.upstream, door.entry.aliases[model])
    if not model or (door.pattern is not None and door.pattern.match(model)):
        return Way(door.upstream, None)
    return None
