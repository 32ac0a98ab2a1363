"""What the simulator keeps: chats, responses, conversations, through the official SDK."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.simulators.openai.running import Running

MESSAGES = [{"role": "user", "content": "Say something"}]


@pytest.fixture
def client(simulator: Running) -> Iterator[Any]:
    with OpenAI(base_url=f"{simulator.url}/v1", api_key="sk-test", max_retries=0) as client:
        yield client


def test_a_stored_chat_can_be_listed_read_changed_and_deleted(client: Any) -> None:
    chats = client.chat.completions
    made = chats.create(model="gpt-4o", messages=MESSAGES, store=True, metadata={"for": "test"})
    unstored = chats.create(model="gpt-4o", messages=MESSAGES)
    assert chats.retrieve(made.id).choices[0].message.content == made.choices[0].message.content
    assert [chat.id for chat in chats.list(metadata={"for": "test"}) if chat.id == made.id] == [made.id]
    assert [message.content for message in chats.messages.list(made.id)] == ["Say something"]
    assert chats.update(made.id, metadata={"for": "change"}).metadata == {"for": "change"}
    assert chats.delete(made.id).deleted
    for gone in (made.id, unstored.id):
        with pytest.raises(openai.NotFoundError):
            chats.retrieve(gone)


def test_a_response_is_kept_unless_told_otherwise_and_the_next_builds_on_it(client: Any) -> None:
    first = client.responses.create(model="gpt-4o", input="Hello")
    assert client.responses.retrieve(first.id).output_text == first.output_text
    assert client.responses.input_items.list(first.id).data[0].content[0].text == "Hello"
    again = client.responses.create(model="gpt-4o", input="Hello", previous_response_id=first.id, store=False)
    assert again.usage.input_tokens == first.usage.input_tokens + first.usage.total_tokens
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(again.id)
    client.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError, match="Previous response with id"):
        client.responses.create(model="gpt-4o", input="Hello", previous_response_id=first.id)


def test_a_background_response_carries_its_usage_when_it_is_done(client: Any, simulator: Running) -> None:
    made = client.responses.create(model="gpt-4o+finish=60000;tokens=9", input="Hello", background=True)
    assert (made.status, made.usage) == ("queued", None)
    assert client.responses.retrieve(made.id).status == "queued"
    assert client.responses.cancel(made.id).status == "cancelled"
    assert simulator.books()["total"]["completion_tokens"] == 0
    done = client.responses.create(model="gpt-4o+tokens=9", input="Hello", background=True)
    for _ in range(2):
        assert client.responses.retrieve(done.id).usage.output_tokens == 9
    assert simulator.books()["total"]["completion_tokens"] == 9


def test_a_background_stream_goes_on_after_the_event_that_was_seen_last(
    client: Any, simulator: Running
) -> None:
    asked = {"input": "Hello", "background": True, "stream": True}
    seen = list(client.responses.create(model="gpt-4o+tokens=9;finish=60000", **asked))
    response = seen[-1].response
    resumed = list(client.responses.retrieve(response.id, stream=True, starting_after=5))
    assert [event.sequence_number for event in resumed] == [e.sequence_number for e in seen[6:]]
    assert resumed[-1].response.usage == response.usage
    assert client.responses.retrieve(response.id).status == "completed"
    assert simulator.books()["total"]["completion_tokens"] == 9
    broken = list(client.responses.create(model="gpt-4o+tokens=9;finish=60000;error_event=4", **asked))
    assert broken[-1].type == "error"
    assert simulator.books()["total"]["completion_tokens"] == 9


def test_input_tokens_and_compact_count_as_a_response_does(client: Any) -> None:
    asked = {"model": "gpt-4o", "input": MESSAGES}
    tokens = client.responses.create(**asked).usage.input_tokens
    assert client.responses.input_tokens.count(**asked).input_tokens == tokens
    compacted = client.responses.compact(**asked)
    assert (compacted.usage.input_tokens, compacted.output[-1].type) == (tokens, "compaction")


def test_a_conversation_holds_the_turns_of_its_responses(client: Any) -> None:
    conversation = client.conversations.create(items=[{"role": "user", "content": "One"}])
    answer = client.responses.create(model="gpt-4o", input="Two", conversation=conversation.id)
    items = client.conversations.items.list(conversation.id, order="asc").data
    assert [item.content[0].text for item in items] == ["One", "Two", answer.output_text]
    client.conversations.items.delete(items[0].id, conversation_id=conversation.id)
    pages = client.conversations.items.list(conversation.id, limit=1)
    assert len(list(pages)) == 2
    client.conversations.delete(conversation.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="gpt-4o", input="Two", conversation=conversation.id)


def test_builtin_tools_are_called_and_counted(client: Any, simulator: Running) -> None:
    tools = [{"type": "web_search"}, {"type": "code_interpreter", "container": {"type": "auto"}}]
    answer = client.responses.create(model="gpt-4o", input="Hello", tools=tools)
    kinds = [item.type for item in answer.output]
    assert kinds == ["web_search_call", "code_interpreter_call", "message"]
    events = client.responses.create(model="gpt-4o", input="Hello", tools=tools, stream=True)
    assert "response.web_search_call.completed" in [event.type for event in events]
    assert simulator.books()["total"]["tool_calls"] == 4


def test_the_first_attempts_fail_as_wished(simulator: Running) -> None:
    headers = {"x_sim": "fail_first=2;status=503", "x_client_request_id": "again"}
    statuses = [simulator.chat(headers=headers).status_code for _ in range(4)]
    assert statuses == [503, 503, 200, 200]


def test_azures_paths_and_key_are_understood(simulator: Running) -> None:
    body = {"messages": MESSAGES}
    headers = {"api-key": "azure", "authorization": ""}
    path = "/openai/deployments/gpt-4o/chat/completions"
    answer = simulator.client.post(f"{path}?api-version=2024-10-21", json=body, headers=headers)
    assert answer.json()["model"] == "gpt-4o"
    assert simulator.client.post(path, json=body, headers=headers).status_code == 404
    responses = simulator.client.post(
        "/openai/v1/responses", json={"model": "gpt-4o", "input": "Hi"}, headers=headers
    )
    assert responses.json()["object"] == "response"
