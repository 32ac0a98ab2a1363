"""The official SDK works unchanged against the simulator.

Its clients are typed Any: their overloads want literal arguments, and these are put together at run time.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.simulators.openai.running import Running

MESSAGES = [{"role": "user", "content": "Say something"}]
WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
}


@pytest.fixture
def client(simulator: Running) -> Iterator[Any]:
    with OpenAI(base_url=f"{simulator.url}/v1", api_key="sk-test", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(simulator: Running) -> AsyncIterator[Any]:
    async with AsyncOpenAI(base_url=f"{simulator.url}/v1", api_key="sk-test", max_retries=0) as client:
        yield client


def test_chat_answer_has_text_and_consistent_usage(client: Any) -> None:
    answer = client.chat.completions.create(model="gpt-4o-mini+tokens=12;cached=3", messages=MESSAGES)
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "gpt-4o-mini"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 12
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 12
    assert answer.usage.prompt_tokens_details.cached_tokens == 3
    assert answer._request_id.startswith("req_")


def test_chat_stream_says_what_the_whole_answer_says(client: Any) -> None:
    whole = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(c.usage is None for c in chunks[:-1])


def test_each_of_n_choices_has_its_own_text_and_all_are_counted(client: Any) -> None:
    whole = client.chat.completions.create(model="gpt-4o+tokens=9", messages=MESSAGES, n=3)
    texts = [choice.message.content for choice in whole.choices]
    assert len(set(texts)) == 3
    assert whole.usage.completion_tokens == 27
    streamed = ["", "", ""]
    for chunk in client.chat.completions.create(model="gpt-4o+tokens=9", messages=MESSAGES, n=3, stream=True):
        streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert streamed == texts


@pytest.mark.parametrize(
    ("choice", "finish"),
    [("required", "tool_calls"), ({"type": "function", "function": {"name": "get_weather"}}, "stop")],
)
def test_an_obliged_tool_is_called_with_arguments_of_its_schema(
    client: Any, choice: Any, finish: str
) -> None:
    tools = [{"type": "function", "function": WEATHER}]
    asked = {"model": "gpt-4o", "messages": MESSAGES, "tools": tools, "tool_choice": choice}
    whole = client.chat.completions.create(**asked).choices[0]
    call = whole.message.tool_calls[0]
    assert (call.function.name, whole.finish_reason) == ("get_weather", finish)
    assert set(json.loads(call.function.arguments)) == {"city", "days"}
    with client.chat.completions.stream(**asked) as stream:
        streamed = stream.get_final_completion().choices[0]
    assert streamed.message.tool_calls[0].function.arguments == call.function.arguments
    assert streamed.finish_reason == finish


def test_without_obligation_no_tool_is_called(client: Any) -> None:
    tools = [{"type": "function", "function": WEATHER}]
    answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, tools=tools)
    assert answer.choices[0].message.tool_calls is None


def test_json_formats_answer_with_json(client: Any) -> None:
    plain = client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, response_format={"type": "json_object"}
    )
    assert isinstance(json.loads(plain.choices[0].message.content), dict)
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}, "tags": {"enum": ["a", "b"]}}}
    shaped = client.chat.completions.create(
        model="gpt-4o",
        messages=MESSAGES,
        response_format={"type": "json_schema", "json_schema": {"name": "it", "schema": schema}},
    )
    assert json.loads(shaped.choices[0].message.content) == {"ok": True, "tags": "a"}


@pytest.mark.parametrize("member", ["max_tokens", "max_completion_tokens"])
def test_chat_stops_at_its_maximum(client: Any, member: str) -> None:
    answer = client.chat.completions.create(model="gpt-4o+tokens=50", messages=MESSAGES, **{member: 7})
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 7


def test_reasoning_is_inside_completion_and_inside_the_maximum(client: Any) -> None:
    answer = client.chat.completions.create(model="gpt-5+tokens=10;reasoning=32", messages=MESSAGES)
    assert answer.usage.completion_tokens == 42
    assert answer.usage.completion_tokens_details.reasoning_tokens == 32
    short = client.chat.completions.create(
        model="gpt-5+tokens=10;reasoning=32", messages=MESSAGES, max_completion_tokens=20
    )
    assert short.usage.completion_tokens == short.usage.completion_tokens_details.reasoning_tokens == 20
    assert (short.choices[0].message.content, short.choices[0].finish_reason) == ("", "length")


def test_stop_ends_the_text_before_the_sign(client: Any) -> None:
    answer = client.chat.completions.create(model="gpt-4o+tokens=100", messages=MESSAGES, stop=["."])
    assert "." not in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens < 30


def test_responses_whole_and_streamed_agree(client: Any) -> None:
    whole = client.responses.create(model="gpt-5.1+tokens=15;reasoning=5", input="Say something")
    assert whole.id.startswith("resp_")
    assert (whole.usage.output_tokens, whole.usage.output_tokens_details.reasoning_tokens) == (20, 5)
    with client.responses.stream(model="gpt-5.1+tokens=15;reasoning=5", input="Say something") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == whole.output_text
    assert final.usage == whole.usage
    assert [e.sequence_number for e in events if hasattr(e, "sequence_number")][:3] == [0, 1, 2]
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"


def test_responses_stop_at_their_maximum(client: Any) -> None:
    asked = {"model": "gpt-4.1+tokens=90", "input": "Say something", "max_output_tokens": 16}
    whole = client.responses.create(**asked)
    assert (whole.status, whole.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert whole.usage.output_tokens == 16
    last = list(client.responses.create(**asked, stream=True))[-1]
    assert last.type == "response.incomplete"
    assert last.response.usage.output_tokens == 16


def test_responses_call_an_obliged_tool(client: Any) -> None:
    tools = [{"type": "function", "strict": False, **WEATHER}]
    asked = {"model": "gpt-4.1", "input": "Hi", "tools": tools, "tool_choice": "required"}
    call = client.responses.create(**asked).output[0]
    assert (call.type, call.name) == ("function_call", "get_weather")
    with client.responses.stream(**asked) as stream:
        assert stream.get_final_response().output[0].arguments == call.arguments


def test_completions_whole_and_streamed_agree(client: Any) -> None:
    asked = {"model": "gpt-3.5-turbo-instruct", "prompt": ["One", "Two"], "n": 2}
    whole = client.completions.create(**asked)
    assert whole.id.startswith("cmpl-")
    assert [choice.finish_reason for choice in whole.choices] == ["length"] * 4
    assert whole.usage.completion_tokens == 4 * 16
    texts = [""] * 4
    chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    for chunk in chunks[:-1]:
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == [choice.text for choice in whole.choices]
    assert chunks[-1].usage == whole.usage


def test_embeddings_are_unit_vectors_in_both_encodings(client: Any) -> None:
    by_base64 = client.embeddings.create(model="text-embedding-3-small", input=["One", "Two"], dimensions=64)
    by_float = client.embeddings.create(
        model="text-embedding-3-small", input=["One", "Two"], dimensions=64, encoding_format="float"
    )
    assert by_base64.usage.prompt_tokens == 2
    for coded, plain in zip(by_base64.data, by_float.data, strict=True):
        assert coded.embedding == pytest.approx(plain.embedding, abs=1e-6)
        assert sum(x * x for x in plain.embedding) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("given", "tokens"), [([1, 2, 3], 3), ([[1, 2], [3]], 3), ("hello world", 2)])
def test_embeddings_take_texts_and_tokens(client: Any, given: Any, tokens: int) -> None:
    answer = client.embeddings.create(model="text-embedding-ada-002", input=given)
    assert answer.usage.prompt_tokens == tokens
    assert len(answer.data[0].embedding) == 1536


def test_models_are_listed_and_found(client: Any) -> None:
    assert "gpt-4o-mini" in [model.id for model in client.models.list()]
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-nothing")


def test_errors_reach_the_sdk_as_their_own_kinds(client: Any) -> None:
    def call(model: str) -> None:
        client.chat.completions.create(model=model, messages=MESSAGES)

    with pytest.raises(openai.RateLimitError) as limited:
        call("gpt-4o+status=429;retry_after=7")
    assert limited.value.code == "rate_limit_exceeded"
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.InternalServerError):
        call("gpt-4o+status=503")
    with pytest.raises(openai.NotFoundError) as unknown:
        call("gpt-nothing")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        call("gpt-4o+speed=9")
    assert "speed" in refused.value.message


def test_an_error_inside_a_stream_reaches_the_sdk(client: Any) -> None:
    stream = client.chat.completions.create(model="gpt-4o+error_event=5", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="server had an error"):
        list(stream)
    events = list(client.responses.create(model="gpt-4o+error_event=5", input="Hi", stream=True))
    assert (len(events), events[-1].type, events[-1].sequence_number) == (6, "error", 5)


async def test_async_client_streams_and_reads_whole_answers(async_client: Any) -> None:
    whole = await async_client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    text = ""
    async for chunk in await async_client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, stream=True
    ):
        text += chunk.choices[0].delta.content or ""
    assert text == whole.choices[0].message.content
    response = await async_client.responses.create(model="gpt-4o", input="Hi")
    async with async_client.responses.stream(model="gpt-4o", input="Hi") as stream:
        assert (await stream.get_final_response()).output_text == response.output_text
    assert (await async_client.embeddings.create(model="text-embedding-3-small", input="Hi")).data
    assert [model.id async for model in async_client.models.list()]


async def test_async_stream_that_is_cut_raises(async_client: Any) -> None:
    stream = await async_client.chat.completions.create(model="gpt-4o+cut=4", messages=MESSAGES, stream=True)
    with pytest.raises((httpx.RemoteProtocolError, openai.APIError)):
        async for _ in stream:
            pass
