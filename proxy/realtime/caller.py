"""Who makes a call over HTTP that opens sessions, and by which model."""

from dataclasses import replace
from urllib.parse import parse_qs

from proxy.endpoints.asked import Asked
from proxy.endpoints.endpoint import Endpoint
from proxy.errors import Refusal
from proxy.house import House
from proxy.identity.ephemeral import Pass, is_ephemeral
from proxy.identity.principal import Principal


async def caller_of(house: House, endpoint: Endpoint, credential: str) -> tuple[Principal, Pass | None]:
    """With the pass where an ephemeral key is what was brought. Raises Refusal, as Identities and Seal do."""
    if endpoint.opens == "call" and is_ephemeral(credential):
        given = house.seal.open(credential)
        return await house.identities.again(given), given
    return await house.identities.resolve(credential), None


def for_call(asked: Asked, query: bytes, given: Pass | None) -> Asked:
    """With the model of the ephemeral key, or that of the query, which is where an offer without a form names it.
    Raises Refusal 400 where they differ."""
    named = parse_qs(query.decode("latin-1")).get("model", [])
    if given is None:
        return asked if asked.request or len(named) != 1 else replace(asked, model=named[0])
    for model in named:
        same_model(given, model)
    return replace(asked, model=given.model)


def same_model(given: Pass, model: str) -> None:
    """Raises Refusal 400 where the caller names another model than that of its ephemeral key."""
    if model and model != given.model:
        raise Refusal(
            400,
            f"This ephemeral key is for the model {given.model}.",
            code="model_mismatch",
            param="model",
        )
