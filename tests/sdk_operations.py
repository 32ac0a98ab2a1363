"""What the installed SDK can ask of the API: read from its resources, so that a new one is not overlooked."""

import functools
import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from openai import AsyncOpenAI, OpenAI
from openai._resource import AsyncAPIResource, SyncAPIResource

_SENDS = re.compile(
    r"self\._(get|post|put|patch|delete|get_api_list)\(\s*(?:path_template\(\s*)?\"([^\"]+)\""
)
_VERB = re.compile(r"method=\"(\w+)\"")


class Operation(NamedTuple):
    """A method of a resource, such as `files.create`, and what it sends: `POST`, `/files`, with {names} for ids. One
    that only calls others, such as `files.wait_for_processing`, sends nothing itself."""

    name: str
    method: str
    path: str


def operations(client_class: type[OpenAI] | type[AsyncOpenAI] = OpenAI) -> list[Operation]:
    """Of all resources, in the order of their names."""
    client = client_class(api_key="none", base_url="http://127.0.0.1:9/v1")
    return sorted(_of(client, ""))


def _of(holder: Any, prefix: str) -> Iterator[Operation]:
    for name, member in inspect.getmembers_static(type(holder)):
        if name.startswith(("_", "with_")):
            continue
        if isinstance(member, functools.cached_property):
            resource = getattr(holder, name)
            if isinstance(resource, SyncAPIResource | AsyncAPIResource):
                yield from _of(resource, f"{prefix}{name}.")
        elif prefix and inspect.isfunction(member):
            yield _sent(prefix + name, inspect.getsource(member))


def _sent(name: str, source: str) -> Operation:
    found = _SENDS.search(source)
    if found is None:
        assert "self._" not in re.sub(r"self\._client\b", "", source) or "path_template" not in source, name
        return Operation(name, "", "")
    verb, path = found.groups()
    if verb == "get_api_list":
        other = _VERB.search(source)
        verb = other[1] if other else "get"
    return Operation(name, verb.upper(), path.partition("?")[0])
