"""Chat, completions, embeddings, moderations, models."""

from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.proxy.complete.driving import drives, ids
from tests.sdk import Sdk, sim

CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Say something"}],
    "extra_headers": sim(tokens=8),
}


class Said(BaseModel):
    answer: str


@drives("chat.")
async def chat(sdk: Sdk) -> None:
    chats = sdk.client.chat.completions
    made = await sdk.get(chats.create(**CHAT, store=True, metadata={"for": "all"}))
    await sdk.finish(chats.stream(**CHAT), "get_final_completion")
    parsed = await sdk.get(chats.parse(**CHAT, response_format=Said))
    assert parsed.choices[0].message.parsed.answer
    assert ids(await sdk.all(chats.list())) == [made.id]
    assert (await sdk.get(chats.retrieve(made.id))).id == made.id
    assert (await sdk.get(chats.update(made.id, metadata={"for": "one"}))).metadata == {"for": "one"}
    assert len(await sdk.all(chats.messages.list(made.id))) == 1
    assert (await sdk.get(chats.delete(made.id))).deleted


@drives("completions.", "embeddings.", "moderations.")
async def others(sdk: Sdk) -> None:
    client = sdk.client
    asked = {"model": "gpt-3.5-turbo-instruct", "prompt": "Say something"}
    assert (await sdk.get(client.completions.create(**asked))).usage.completion_tokens
    asked = {"model": "text-embedding-3-small", "input": "Say something"}
    assert (await sdk.get(client.embeddings.create(**asked))).data
    assert (await sdk.get(client.moderations.create(input="flag me"))).results[0].flagged


@drives("models.")
async def models(sdk: Sdk) -> None:
    models = sdk.client.models
    assert "gpt-4o-mini" in ids(await sdk.all(models.list()))
    assert (await sdk.get(models.retrieve("gpt-4o-mini"))).id == "gpt-4o-mini"
    with pytest.raises(openai.NotFoundError):
        await sdk.get(models.delete("gpt-4o-mini"))
