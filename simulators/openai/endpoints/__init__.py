"""The simulated endpoints: one file each. Whatever module lies here is found by its ROUTES."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from simulators.openai.answers import Route


def all_routes() -> Iterator[Route]:
    for module in pkgutil.iter_modules(__path__):
        yield from import_module(f"{__name__}.{module.name}").ROUTES
