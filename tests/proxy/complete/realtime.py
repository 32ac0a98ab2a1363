"""Realtime: keys, calls and sessions."""

from typing import Any

from tests.proxy.complete.driving import drives
from tests.sdk import Sdk, sim

MODEL = "gpt-realtime"


async def used(sdk: Sdk, manager: Any) -> Any:
    """What one response used, in a session of its own."""
    if hasattr(manager, "__aenter__"):
        async with manager as talk:
            await talk.response.create()
            async for event in talk:
                if event.type == "response.done":
                    return event.response.usage
    with manager as talk:
        talk.response.create()
        return next(event.response.usage for event in talk if event.type == "response.done")


@drives("realtime.", "beta.realtime.")
async def realtime(sdk: Sdk) -> None:
    realtime, session = sdk.client.realtime, {"type": "realtime", "model": MODEL}
    assert (await used(sdk, realtime.connect(model=MODEL, extra_headers=sim(tokens=8)))).output_tokens == 8
    assert (await sdk.get(realtime.client_secrets.create(session=session))).value.startswith("ek_")

    async def new_call() -> str:
        made = await sdk.get(realtime.calls.create(sdp="v=0", session=session))
        return str(made.response.headers["location"].rpartition("/")[2])

    call = await new_call()
    await sdk.get(realtime.calls.accept(call, **session))
    await sdk.get(realtime.calls.refer(call, target_uri="tel:+33100000000"))
    await sdk.get(realtime.calls.hangup(call))
    await sdk.get(realtime.calls.reject(await new_call()))

    beta = sdk.client.beta.realtime
    assert (await sdk.get(beta.sessions.create(model=MODEL))).client_secret.value.startswith("ek_")
    assert (await sdk.get(beta.transcription_sessions.create())).client_secret.value.startswith("ek_")
    assert await used(sdk, beta.connect(model=MODEL, extra_headers=sim(tokens=8)))
