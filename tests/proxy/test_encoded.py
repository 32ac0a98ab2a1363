"""Answers that the upstream compresses although nobody asked: they pass untouched, and are metered."""

import gzip

import pytest

from tests.system import System

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_compressed_answer_passes_as_it_is_and_is_metered(house: System, stream: bool) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    body = {
        "model": "gpt-4o-mini+gzip=1;tokens=50",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": stream,
    }
    async with house.client(tenant) as client, client.stream("POST", CHAT, json=body) as answer:
        raw = b"".join([data async for data in answer.aiter_raw()])
    if answer.headers.get("content-encoding") == "gzip":
        assert gzip.decompress(raw)
    [row] = await house.records(tenant, 1)
    assert (row["usage_source"], row["output_tokens"]) == ("provider", 50)
