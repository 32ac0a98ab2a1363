"""The official SDK works unchanged against the proxy, and each of its calls leaves one record of what it saw."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.recordings import TOKENS
from tests.sdk import Sdk, check, open_sdk, sim
from tests.system import System

MODEL = "gpt-4o-mini"
MESSAGES = [{"role": "user", "content": "Say something"}]
WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CHAT = {"model": MODEL, "messages": MESSAGES}
RESPONSE = {"model": "gpt-5.1", "input": "Say something"}


@pytest.fixture(params=["sync", "async"])
async def sdk(request: pytest.FixtureRequest, house: System) -> AsyncIterator[Sdk]:
    async with open_sdk(house, request.param) as opened:
        yield opened


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"n": 3},
        {"tools": [{"type": "function", "function": WEATHER}], "tool_choice": "required"},
        {"response_format": {"type": "json_object"}},
        {"extra_headers": sim(cached=2, reasoning=7)},
    ],
    ids=["plain", "n", "tools", "json_object", "details"],
)
async def test_chat(sdk: Sdk, members: dict[str, Any]) -> None:
    answer = await sdk.get(sdk.client.chat.completions.create(**CHAT, **members))
    assert len(answer.choices) == members.get("n", 1)
    message = answer.choices[0].message
    if "tools" in members:
        assert message.tool_calls[0].function.name == "get_weather"
    elif "response_format" in members:
        assert isinstance(json.loads(message.content), dict)
    else:
        assert message.content
    if "extra_headers" in members:
        assert answer.usage.prompt_tokens_details.cached_tokens == 2
        assert answer.usage.completion_tokens_details.reasoning_tokens == 7
    row = await sdk.row()
    check(row, answer.usage)
    assert (row["request_id"], row["model"], row["stream"]) == (answer._request_id, MODEL, False)


async def test_a_chat_stream_shows_no_usage_that_was_not_asked_for_and_is_recorded_all_the_same(
    sdk: Sdk,
) -> None:
    chunks = await sdk.all(sdk.client.chat.completions.create(**CHAT, n=2, stream=True))
    assert all(chunk.choices and "usage" not in chunk.model_fields_set for chunk in chunks)
    streamed = await sdk.row()
    assert streamed["stream"]
    other = sdk.by(await sdk.house.tenant())
    whole = await other.get(other.client.chat.completions.create(**CHAT, n=2))
    check(streamed, whole.usage)
    for choice in whole.choices:
        deltas = [c.choices[0].delta.content or "" for c in chunks if c.choices[0].index == choice.index]
        assert "".join(deltas) == choice.message.content


async def test_a_chat_stream_with_usage(sdk: Sdk) -> None:
    asked = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    chunks = await sdk.all(sdk.client.chat.completions.create(**asked))
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == []
    check(await sdk.row(), chunks[-1].usage)


async def test_the_chat_stream_helper(sdk: Sdk) -> None:
    tools = [{"type": "function", "function": WEATHER}]
    manager = sdk.client.chat.completions.stream(
        **CHAT, tools=tools, tool_choice="required", stream_options={"include_usage": True}
    )
    final = await sdk.finish(manager, "get_final_completion")
    assert final.choices[0].message.tool_calls[0].function.name == "get_weather"
    check(await sdk.row(), final.usage)


@pytest.mark.parametrize("stream", [False, True])
async def test_completions(sdk: Sdk, stream: bool) -> None:
    asked = {"model": "gpt-3.5-turbo-instruct", "prompt": ["One", "Two"], "n": 2}
    if stream:
        chunks = await sdk.all(sdk.client.completions.create(**asked, stream=True))
        assert all(chunk.choices and "usage" not in chunk.model_fields_set for chunk in chunks)
        row = await sdk.row()
        assert (row["input_tokens"], row["output_tokens"]) == (2, 4 * 16)
        assert row["usage_source"] == "provider"
    else:
        answer = await sdk.get(sdk.client.completions.create(**asked))
        assert len(answer.choices) == 4
        check(await sdk.row(), answer.usage)


@pytest.mark.parametrize("way", ["whole", "stream", "helper"])
async def test_responses(sdk: Sdk, way: str) -> None:
    asked = {**RESPONSE, "extra_headers": sim(reasoning=5, cached=1)}
    if way == "whole":
        final = await sdk.get(sdk.client.responses.create(**asked))
    elif way == "stream":
        events = await sdk.all(sdk.client.responses.create(**asked, stream=True))
        assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
        final = events[-1].response
    else:
        final = await sdk.finish(sdk.client.responses.stream(**asked), "get_final_response")
    assert final.output_text
    assert final.usage.output_tokens_details.reasoning_tokens == 5
    check(await sdk.row(), final.usage)


@pytest.mark.parametrize("coding", [{}, {"encoding_format": "float"}], ids=["base64", "float"])
async def test_embeddings(sdk: Sdk, coding: dict[str, str]) -> None:
    answer = await sdk.get(
        sdk.client.embeddings.create(model="text-embedding-3-small", input=["One", "Two"], **coding)
    )
    assert [len(item.embedding) for item in answer.data] == [1536, 1536]
    assert sum(number * number for number in answer.data[1].embedding) == pytest.approx(1, abs=1e-3)
    check(await sdk.row(), answer.usage)


async def test_models_are_listed_and_found_for_nothing(sdk: Sdk) -> None:
    assert MODEL in [model.id for model in await sdk.all(sdk.client.models.list())]
    assert (await sdk.get(sdk.client.models.retrieve(MODEL))).id == MODEL
    rows = await sdk.house.records(sdk.tenant, 2)
    assert {row["endpoint"] for row in rows} == {"/v1/models", "/v1/models/{model}"}
    assert all(row[name] == 0 for row in rows for name in (*TOKENS, "price_nano"))


async def test_a_raw_response_has_the_headers_and_the_answer(sdk: Sdk) -> None:
    raw = await sdk.get(sdk.client.chat.completions.with_raw_response.create(**CHAT))
    row = await sdk.row()
    assert raw.headers["x-request-id"] == raw.request_id == row["request_id"]
    assert raw.headers["openai-processing-ms"]
    assert raw.headers["x-upstream-request-id"] != raw.request_id
    check(row, (await sdk.get(raw.parse())).usage)


async def test_a_label_is_kept_with_the_record(sdk: Sdk) -> None:
    label = {"X-Tollkeeper-Label": "ticket 7"}
    answer = await sdk.get(sdk.client.chat.completions.create(**CHAT, extra_headers=label))
    row = await sdk.row()
    assert row["search_term"] == "ticket 7"
    check(row, answer.usage)


async def test_fifty_streams_at_once_leave_fifty_records_of_what_each_saw(house: System) -> None:
    tenant = await house.tenant()
    client: Any
    async with AsyncOpenAI(base_url=f"{house.proxy_url}/v1", api_key=tenant.key, max_retries=0) as client:

        async def one(number: int) -> tuple[str, Any]:
            async with await client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": f"Say {number}"}],
                stream=True,
                stream_options={"include_usage": True},
                extra_headers=sim(tokens=10 + number, pace=2),
            ) as stream:
                chunks = [chunk async for chunk in stream]
                return stream.response.headers["x-request-id"], chunks[-1].usage

        seen = dict(await asyncio.gather(*map(one, range(50))))
    rows = {row["request_id"]: row for row in await house.records(tenant, 50)}
    assert rows.keys() == seen.keys()
    for request_id, row in rows.items():
        check(row, seen[request_id])
    assert {row["output_tokens"] for row in rows.values()} == set(range(10, 60))
