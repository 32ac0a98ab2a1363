"""What the simulated OpenAI keeps for its one account: objects by kind, their contents, work under way."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import count, islice
from secrets import token_hex
from typing import Any

from simulators.openai.errors import ApiError, invalid_value
from simulators.openai.fields import JsonObject

KEPT_OBJECTS = 10_000  # of one kind: a long load must not fill the memory


class Shelf:
    """Objects of one kind in the order of their making; beyond KEPT_OBJECTS the oldest go."""

    def __init__(self, kind: str, forget: Callable[[str], None]) -> None:
        self._kind = kind
        self._forget = forget
        self._objects: dict[str, JsonObject] = {}

    def add(self, thing: JsonObject) -> JsonObject:
        self._objects[thing["id"]] = thing
        while len(self._objects) > KEPT_OBJECTS:
            oldest = next(iter(self._objects))
            del self._objects[oldest]
            self._forget(oldest)
        return thing

    def find(self, identifier: str) -> JsonObject | None:
        return self._objects.get(identifier)

    def get(self, identifier: str) -> JsonObject:
        """Raises a 404 that names the id."""
        found = self._objects.get(identifier)
        if found is None:
            raise ApiError(
                404, f"No {self._kind} found with id '{identifier}'.", param="id", code="not_found"
            )
        return found

    def remove(self, identifier: str, kind: str | None = None) -> JsonObject:
        """Removes it; returns the answer that says so."""
        self.get(identifier)
        del self._objects[identifier]
        self._forget(identifier)
        return {"id": identifier, "object": kind or f"{self._kind}.deleted", "deleted": True}

    def all(self) -> list[JsonObject]:
        return list(self._objects.values())


class Account:
    def __init__(self) -> None:
        self._shelves: dict[str, Shelf] = {}
        self.contents: dict[str, bytes | bytearray] = {}  # by the id of a file or part
        self.notes: dict[str, dict[str, Any]] = defaultdict(dict)  # what is known of an id and not shown
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def shelf(self, kind: str, owner: str = "") -> Shelf:
        """The objects of a kind, where they belong to another object (`owner`, an id) those of that one."""
        name = f"{kind}/{owner}"
        shelf = self._shelves.get(name)
        if shelf is None:
            # What lies with an owner may be a file that also lies elsewhere.
            shelf = self._shelves[name] = Shelf(kind, _keep if owner else self._forget)
        return shelf

    def drop(self, kind: str, owner: str) -> None:
        self._shelves.pop(f"{kind}/{owner}", None)

    def after(self, moment: float, work: Callable[[], None]) -> None:
        """Lets `work` be done at the first `settle` at or after the moment (Unix seconds)."""
        heapq.heappush(self._due, (moment, next(self._numbers), work))

    def settle(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def _forget(self, identifier: str) -> None:
        self.contents.pop(identifier, None)
        self.notes.pop(identifier, None)


def _keep(_identifier: str) -> None:
    return


def new_id(prefix: str) -> str:
    return prefix + token_hex(16)


def page(things: Iterable[JsonObject], query: Mapping[str, str], *, order: str = "desc") -> JsonObject:
    """One page as `limit`, `after`, `before` and `order` ask for it. The things come oldest first."""
    limit, wanted = query.get("limit", "20"), query.get("order", order)
    if not limit.isdigit() or not 1 <= int(limit) <= 10_000:
        raise invalid_value("limit", f"expected an integer between 1 and 10000, but got '{limit[:40]}'.")
    if wanted not in ("asc", "desc"):
        raise invalid_value("order", "expected 'asc' or 'desc'.")
    ordered = list(things)
    if wanted == "desc":
        ordered.reverse()
    ids = [thing["id"] for thing in ordered]
    for name in ("after", "before"):
        if query.get(name) and query[name] not in ids:
            raise ApiError(404, f"No object found with id '{query[name]}'.", param=name, code="not_found")
    if query.get("after"):
        ordered = ordered[ids.index(query["after"]) + 1 :]
    if query.get("before"):
        ordered = ordered[: ids.index(query["before"])]
    shown = list(islice(ordered, int(limit)))
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(shown) < len(ordered),
    }
