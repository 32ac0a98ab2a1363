"""What drives a family of the API by the SDK: a client that notes which of its methods are called."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from openai._resource import AsyncAPIResource, SyncAPIResource

from tests.sdk import Sdk

QUICKLY = {"poll_interval_ms": 10}
Drive = Callable[[Sdk], Coroutine[Any, Any, None]]
DRIVES: dict[str, Drive] = {}
"""By the beginning of the names of the methods that it calls, such as `chat.`: each of these, once at least."""


def drives(*beginnings: str) -> Callable[[Drive], Drive]:
    def enter(drive: Drive) -> Drive:
        DRIVES.update(dict.fromkeys(beginnings, drive))
        return drive

    return enter


@dataclass(frozen=True)
class Recorded:
    """A client, or a resource of one. `called` takes the names of methods, such as `chat.completions.create`."""

    wrapped: Any
    called: set[str]
    prefix: str = ""

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.wrapped, name)
        if isinstance(value, SyncAPIResource | AsyncAPIResource):
            return Recorded(value, self.called, f"{self.prefix}{name}.")
        if self.prefix:
            self.called.add(self.prefix + name)
        return value


def ids(things: list[Any]) -> list[str]:
    return [thing.id for thing in things]
