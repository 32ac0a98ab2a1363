"""The official SDK on what is kept upstream: stored responses, conversations and chats, each its owner's."""

from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI, NotFoundError

from tests.system import System

MODEL = "gpt-4o-mini+tokens=8"


@pytest.fixture
async def owner(house: System) -> AsyncIterator[AsyncOpenAI]:
    tenant = await house.tenant(unpriced_models="allow")
    async with AsyncOpenAI(base_url=f"{house.proxy_url}/v1", api_key=tenant.key, max_retries=0) as client:
        yield client


@pytest.fixture
async def stranger(house: System) -> AsyncIterator[AsyncOpenAI]:
    tenant = await house.tenant(unpriced_models="allow")
    async with AsyncOpenAI(base_url=f"{house.proxy_url}/v1", api_key=tenant.key, max_retries=0) as client:
        yield client


async def test_a_stored_response_is_read_and_deleted(owner: AsyncOpenAI, stranger: AsyncOpenAI) -> None:
    made = await owner.responses.create(model=MODEL, input="Hello")
    again = await owner.responses.retrieve(made.id)
    assert again.output_text == made.output_text
    items = await owner.responses.input_items.list(made.id)
    assert len(items.data) == 1
    with pytest.raises(NotFoundError):
        await stranger.responses.retrieve(made.id)
    with pytest.raises(NotFoundError):
        await stranger.responses.input_items.list(made.id)
    with pytest.raises(NotFoundError):
        await stranger.responses.delete(made.id)
    await owner.responses.delete(made.id)
    with pytest.raises(NotFoundError):
        await owner.responses.retrieve(made.id)


async def test_a_conversation_goes_on_for_its_owner(owner: AsyncOpenAI, stranger: AsyncOpenAI) -> None:
    conversation = await owner.conversations.create()
    await owner.responses.create(model=MODEL, input="Hello", conversation=conversation.id)
    assert [item async for item in owner.conversations.items.list(conversation.id)]
    with pytest.raises(NotFoundError):
        await stranger.responses.create(model=MODEL, input="Hello", conversation=conversation.id)
    with pytest.raises(NotFoundError):
        await stranger.conversations.retrieve(conversation.id)


async def test_a_stored_chat_is_listed_for_its_owner(owner: AsyncOpenAI, stranger: AsyncOpenAI) -> None:
    made = await owner.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello"}], store=True
    )
    assert [chat.id async for chat in owner.chat.completions.list()] == [made.id]
    assert [chat.id async for chat in stranger.chat.completions.list()] == []
    assert (await owner.chat.completions.retrieve(made.id)).id == made.id
    with pytest.raises(NotFoundError):
        await stranger.chat.completions.retrieve(made.id)


async def test_moderations_cost_nothing(house: System) -> None:
    tenant = await house.tenant()
    async with AsyncOpenAI(base_url=f"{house.proxy_url}/v1", api_key=tenant.key, max_retries=0) as client:
        answer = await client.moderations.create(model="omni-moderation-latest", input="Hello")
    assert answer.results
    [row] = await house.records(tenant, 1)
    assert (row["endpoint"], row["price_nano"], row["usage_source"]) == ("/v1/moderations", 0, "provider")


async def test_a_stream_of_the_background_is_taken_up_again(owner: AsyncOpenAI) -> None:
    stream = await owner.responses.create(
        model="gpt-4o-mini+tokens=30;finish=0", input="Hello", background=True, stream=True
    )
    async for event in stream:
        if event.type == "response.created":
            identifier = event.response.id
        if event.type == "response.output_text.delta":
            seen = event.sequence_number
            break
    await stream.close()
    rest = await owner.responses.retrieve(identifier, stream=True, starting_after=seen)
    events = [event async for event in rest]
    assert events[0].sequence_number > seen
    assert events[-1].type == "response.completed"
