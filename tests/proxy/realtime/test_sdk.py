"""The official SDK talks Realtime through the proxy, and the provider's own books agree with ours."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI, OpenAI
from websockets.exceptions import InvalidStatus

from tests.system import System, Tenant

MODEL = "gpt-realtime"


@pytest.fixture
async def tenant(house: System) -> Tenant:
    return await house.tenant(limits={"concurrent_requests": 3})


@pytest.fixture
async def sdk(house: System, tenant: Tenant) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{house.proxy_url}/v1", api_key=tenant.key, max_retries=0) as client:
        yield client


async def respond(talk: Any) -> Any:
    """Asks for a response: what it used."""
    await talk.response.create()
    async for event in talk:
        assert event.type != "error"
        if event.type == "response.done":
            return event.response.usage
    raise AssertionError


async def say(talk: Any) -> None:
    content = [{"type": "input_text", "text": "Hello"}]
    await talk.conversation.item.create(item={"type": "message", "role": "user", "content": content})


async def test_a_conversation(house: System, tenant: Tenant, sdk: AsyncOpenAI) -> None:
    headers = {"x-sim": "tokens=9;cached=1", "x-client-request-id": tenant.key_id}
    async with sdk.realtime.connect(model=MODEL, extra_headers=headers) as talk:
        assert (await talk.recv()).type == "session.created"
        await talk.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await say(talk)
        await talk.input_audio_buffer.append(audio=base64.b64encode(bytes(9600)).decode())
        await talk.input_audio_buffer.commit()
        used = [await respond(talk), await respond(talk)]
    rows = await house.records(tenant, 2)
    assert [(row["input_tokens"], row["output_tokens"], row["cached_input_tokens"]) for row in rows] == [
        (usage.input_tokens, usage.output_tokens, 1) for usage in used
    ]
    assert [row["audio_input_tokens"] for row in rows] == [2, 2]
    [entry] = (await house.books(client_request_id=tenant.key_id))["requests"]
    assert (entry["prompt_tokens"], entry["completion_tokens_served"]) == (
        sum(row["input_tokens"] for row in rows),
        18,
    )
    await house.quiet()


# The SDK opens its WebSocket in a way that the library has just called old.
@pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")
def test_a_conversation_by_the_synchronous_sdk(house: System) -> None:
    tenant = asyncio.run(house.tenant())
    with (
        OpenAI(base_url=f"{house.proxy_url}/v1", api_key=tenant.key, max_retries=0) as client,
        client.realtime.connect(model=MODEL, extra_headers={"x-sim": "tokens=4"}) as talk,
    ):
        talk.response.create()
        usage: Any = next(event.response.usage for event in talk if event.type == "response.done")
        assert usage.output_tokens == 4
    [row] = asyncio.run(house.records(tenant, 1))
    assert row["output_tokens"] == 4


async def test_azures_sdk(house: System, tenant: Tenant) -> None:
    plain = house.proxy_url.replace("http", "ws") + "/openai"
    async with (
        AsyncAzureOpenAI(
            azure_endpoint=house.proxy_url,
            websocket_base_url=plain,
            api_key=tenant.key,
            api_version="2025-04-01-preview",
        ) as client,
        client.realtime.connect(model=MODEL, extra_headers={"x-sim": "tokens=4"}) as talk,
    ):
        assert (await talk.recv()).type == "session.created"
        assert (await respond(talk)).output_tokens == 4
    [row] = await house.records(tenant, 1)
    assert (row["model"], row["endpoint"]) == (MODEL, "/v1/realtime")


async def test_an_ephemeral_key_is_used_like_any_other(
    house: System, tenant: Tenant, sdk: AsyncOpenAI
) -> None:
    secret = await sdk.realtime.client_secrets.create(session={"type": "realtime", "model": MODEL})
    assert secret.value.startswith("ek_")
    async with AsyncOpenAI(base_url=f"{house.proxy_url}/v1", api_key=secret.value, max_retries=0) as other:
        async with other.realtime.connect(model=MODEL, extra_headers={"x-sim": "tokens=4"}) as talk:
            await talk.recv()
            assert (await respond(talk)).output_tokens == 4
        with pytest.raises(openai.AuthenticationError):
            await other.models.list()
    rows = await house.records(tenant, 2)
    assert [row["output_tokens"] for row in rows] == [0, 4]


async def test_the_keys_of_the_beta(house: System, tenant: Tenant, sdk: AsyncOpenAI) -> None:
    for path in ("/realtime/sessions", "/realtime/transcription_sessions"):
        made: Any = await sdk.post(path, body={}, cast_to=object)
        assert made["client_secret"]["value"].startswith("ek_")
        assert len(made["client_secret"]["value"]) > 100
    await house.records(tenant, 2)


async def test_a_call_and_a_second_look_at_it(house: System, tenant: Tenant, sdk: AsyncOpenAI) -> None:
    made = await sdk.realtime.calls.create(sdp="v=0", session={"type": "realtime", "model": MODEL})
    assert made.content.startswith(b"v=0")
    call = made.response.headers["location"].rpartition("/")[2]
    async with sdk.realtime.connect(call_id=call) as beside:
        assert (await beside.recv()).type == "session.created"
        await sdk.realtime.calls.hangup(call)
        assert [event.type async for event in beside] == []
    with pytest.raises(openai.NotFoundError):
        await sdk.realtime.calls.hangup("rtc_of_somebody_else")
    await house.quiet()
    rows = await house.records(tenant, 3)
    assert sorted(row["endpoint"] for row in rows) == [
        "/v1/realtime",
        "/v1/realtime/calls",
        "/v1/realtime/calls/{call}/hangup",
    ]


async def test_a_refusal_reaches_the_sdk(house: System, sdk: AsyncOpenAI) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with sdk.realtime.connect(model="gpt-none"):
            raise AssertionError
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == "model_not_priced"
