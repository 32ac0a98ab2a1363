"""Where a call goes: OpenAI's paths, and Azure's forms of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from simulators.openai.catalogue import is_known
from simulators.openai.errors import ApiError

DEPLOYED = "gpt-4o-mini"  # what a deployment runs whose name is no model's
_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)(/.+)")


@dataclass(frozen=True, slots=True)
class Address:
    path: str  # as OpenAI writes it, /v1/...
    query: Mapping[str, str]
    deployment: str | None = None  # the model of Azure's deployment


def read_address(path: str, query: str) -> Address:
    """Raises a 404 for Azure's older paths without `api-version`, as Azure answers."""
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if not path.startswith("/openai/"):
        return Address(path, parameters)
    if path.startswith("/openai/v1/"):
        return Address(path.removeprefix("/openai"), parameters)
    if not parameters.get("api-version"):
        raise ApiError(404, "Resource not found", code="404")
    if deployed := _DEPLOYMENT.fullmatch(path):
        name, rest = deployed.groups()
        return Address("/v1" + rest, parameters, name if is_known(name.partition("+")[0]) else DEPLOYED)
    return Address("/v1" + path.removeprefix("/openai"), parameters)
