"""Realtime sessions through the official SDK, and in the books."""

import base64
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from websockets.exceptions import InvalidStatus

from tests.simulators.openai.running import Running


async def test_every_response_ends_with_usage_that_is_in_the_books(simulator: Running) -> None:
    async with AsyncOpenAI(base_url=f"{simulator.url}/v1", api_key="sk-test") as client:
        headers = {"x-client-request-id": "talk", "x-sim": "tokens=9"}
        async with client.realtime.connect(model="gpt-realtime", extra_headers=headers) as talk:
            assert (await talk.recv()).type == "session.created"
            content: Any = [{"type": "input_text", "text": "Hello"}]
            await talk.conversation.item.create(item={"type": "message", "role": "user", "content": content})
            await talk.input_audio_buffer.append(audio=base64.b64encode(bytes(9600)).decode())
            await talk.input_audio_buffer.commit()
            for prompt in (3, 12):
                await talk.response.create()
                async for event in talk:
                    if event.type == "response.done":
                        usage: Any = event.response.usage
                        break
                assert (usage.input_tokens, usage.output_tokens) == (prompt, 9)
    entry = simulator.entry("talk")
    assert (entry["ended"], entry["prompt_tokens"], entry["completion_tokens_served"]) == ("complete", 15, 18)


async def test_an_unknown_model_gets_no_session(simulator: Running) -> None:
    async with AsyncOpenAI(base_url=f"{simulator.url}/v1", api_key="sk-test") as client:
        with pytest.raises(InvalidStatus, match="404"):
            async with client.realtime.connect(model="none"):
                raise AssertionError


def test_secrets_and_calls_are_given_out(simulator: Running) -> None:
    with OpenAI(base_url=f"{simulator.url}/v1", api_key="sk-test", max_retries=0) as client:
        assert client.realtime.client_secrets.create().value.startswith("ek_")
        call = client.realtime.calls.create(sdp="v=0")
        place = call.response.headers["location"]
        client.realtime.calls.hangup(place.split("/")[-1])
        with pytest.raises(openai.NotFoundError):
            client.realtime.calls.hangup("rtc_none")
