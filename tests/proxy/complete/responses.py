"""Responses, also those of the beta, and conversations."""

from typing import Any

from tests.proxy.complete.driving import drives, ids
from tests.proxy.complete.text import Said
from tests.sdk import Sdk, sim

ASKED: dict[str, Any] = {"model": "gpt-5.1", "input": "Say something"}


async def stored(sdk: Sdk, responses: Any) -> None:
    """What both kinds of responses have."""
    made = await sdk.get(responses.create(**ASKED, extra_headers=sim(tokens=8)))
    assert made.usage.output_tokens == 8
    assert (await sdk.get(responses.retrieve(made.id))).id == made.id
    assert len(await sdk.all(responses.input_items.list(made.id))) == 1
    assert (await sdk.get(responses.input_tokens.count(**ASKED))).input_tokens
    assert (await sdk.get(responses.compact(**ASKED))).output
    slow = sim(finish=60_000, tokens=8)
    waiting = await sdk.get(responses.create(**ASKED, background=True, extra_headers=slow))
    assert (await sdk.get(responses.cancel(waiting.id))).status == "cancelled"
    await sdk.get(responses.delete(made.id))


@drives("responses.")
async def responses(sdk: Sdk) -> None:
    responses = sdk.client.responses
    await stored(sdk, responses)
    await sdk.finish(responses.stream(**ASKED, extra_headers=sim(tokens=8)), "get_final_response")
    parsed = await sdk.get(responses.parse(**ASKED, text_format=Said, extra_headers=sim(tokens=8)))
    assert parsed.output_parsed.answer


@drives("beta.responses.")
async def of_the_beta(sdk: Sdk) -> None:
    await stored(sdk, sdk.client.beta.responses)


@drives("conversations.")
async def conversations(sdk: Sdk) -> None:
    conversations = sdk.client.conversations
    made = await sdk.get(conversations.create(items=[{"role": "user", "content": "One"}]))
    assert (await sdk.get(conversations.retrieve(made.id))).id == made.id
    assert (await sdk.get(conversations.update(made.id, metadata={"a": "b"}))).metadata == {"a": "b"}
    items = conversations.items
    added = await sdk.get(items.create(made.id, items=[{"role": "user", "content": "Two"}]))
    found = await sdk.get(items.retrieve(added.data[0].id, conversation_id=made.id))
    assert found.content[0].text == "Two"
    await sdk.get(items.delete(added.data[0].id, conversation_id=made.id))
    assert len(ids(await sdk.all(items.list(made.id)))) == 1
    assert (await sdk.get(conversations.delete(made.id))).deleted
