"""The members that requests of the installed SDK may have: read from the types of its parameters."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import openai.types
from typing_extensions import get_type_hints, is_typeddict


def members(leaving_out: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(name, where it stands, such as `responses.response_create_params.tools.container`). `leaving_out`: beginnings of
    modules below `openai.types`."""
    for module in pkgutil.walk_packages(openai.types.__path__, "openai.types."):
        place = module.name.removeprefix("openai.types.")
        if place.endswith("_params") and not place.startswith(leaving_out):
            loaded = importlib.import_module(module.name)
            for name in getattr(loaded, "__all__", ()):
                yield from _below(getattr(loaded, name), place, ())


def _below(kind: Any, place: str, above: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    if get_origin(kind) is not None:
        for argument in get_args(kind):
            yield from _below(argument, place, above)
    elif is_typeddict(kind) and kind not in above:
        for name, member in get_type_hints(kind).items():
            yield name, f"{place}.{name}"
            yield from _below(member, f"{place}.{name}", (*above, kind))
