"""Who makes a call over HTTP that opens sessions, and by which model."""

from dataclasses import replace
from urllib.parse import parse_qs

from proxy.endpoints.asked import Asked
from proxy.endpoints.endpoint import Endpoint
from proxy.endpoints.realtime import session_of
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
    Raises Refusal 400 where two are named: which of them the upstream would take is not known."""
    named = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("model", [])
    if given is None and len(named) == 1 and not asked.request:
        return replace(asked, model=named[0])
    places = (asked.request, session_of(asked.request))
    named += [place["model"] for place in places if isinstance(place.get("model"), str)]
    if given is not None:
        for model in named:
            same_model(given, model)
        return replace(asked, model=given.model)
    if any(model != asked.model for model in named):
        raise Refusal(400, "More than one model is named.", code="invalid_value", param="model")
    return asked


def same_model(given: Pass, model: str) -> None:
    """Raises Refusal 400 where the caller names another model than that of its ephemeral key."""
    if model and model != given.model:
        raise Refusal(
            400,
            f"This ephemeral key is for the model {given.model}.",
            code="model_mismatch",
            param="model",
        )
