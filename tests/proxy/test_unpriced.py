"""Kinds without a rate: refused where they are asked for, charged dear and told of where they come unasked."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from ledger.usage import Usage
from proxy.endpoints import asked as body
from proxy.endpoints.catalogue import find
from proxy.foreseen import Foreseen
from proxy.unpriced import asked_for
from tests.proxy.edge import upstream
from tests.system import System, system

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]
HEARD = [
    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}
]
SPOKEN = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}


def _asked_for(path: str, request: dict[str, Any], foreseen: Foreseen) -> Usage:
    asked = body.read(find("POST", path).endpoint, orjson.dumps({"model": "gpt-4o", **request}), [])
    return asked_for(asked.request, foreseen)


def test_what_a_request_asks_for_is_some_of_each_kind() -> None:
    text = Foreseen(7, 7, 100, sunk=Usage(7))
    assert _asked_for(CHAT, {"messages": HELLO}, text) == Usage(7, output_tokens=1)
    assert _asked_for(CHAT, {"messages": HELLO, **SPOKEN}, text).audio_output_tokens == 1
    assert _asked_for(CHAT, {"messages": HEARD}, text).audio_input_tokens == 1
    assert _asked_for("/v1/responses", {"input": HEARD}, text).audio_input_tokens == 1
    pieces = Foreseen(quantities={"web_search_call": 3})
    assert _asked_for("/v1/responses", {"input": "x"}, pieces).quantities == {"web_search_call": 3}
    odd = {"messages": [None, {"content": 3}, {"content": [4, {}]}], "modalities": "audio"}
    assert _asked_for(CHAT, odd, Foreseen()) == Usage()


async def _refused(answer: httpx.Response, kind: str) -> None:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (402, "model_not_priced")
    assert f" {kind}" in error["message"]


@pytest.mark.parametrize(
    ("path", "asking", "kind"),
    [
        (CHAT, {"model": "gpt-4o", "messages": HELLO, **SPOKEN}, "audio_output"),
        (CHAT, {"model": "gpt-4o", "messages": HEARD}, "audio_input"),
        (
            CHAT,
            {"model": "gpt-5", "messages": HELLO, "service_tier": "ultrafast"},
            "the service tier ultrafast",
        ),
        (CHAT, {"model": "whisper-1", "messages": HELLO}, "input, output"),
        ("/v1/responses", {"model": "gpt-4o", "input": HEARD}, "audio_input"),
    ],
)
async def test_a_kind_without_a_rate_is_refused_by_its_name(
    house: System, path: str, asking: dict[str, Any], kind: str
) -> None:
    tenant = await house.tenant()
    async with house.client(tenant) as client:
        await _refused(await client.post(path, json=asking), kind)


async def test_a_plan_may_let_it_through_and_a_model_with_the_rate_passes(house: System) -> None:
    spoken = {"messages": HELLO, **SPOKEN}
    lenient, strict = await house.tenant(unpriced_models="allow"), await house.tenant()
    async with house.client(lenient) as client:
        assert (await client.post(CHAT, json={"model": "gpt-4o", **spoken})).status_code == 200
    async with house.client(strict) as client:
        assert (await client.post(CHAT, json={"model": "gpt-4o-audio-preview", **spoken})).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_sound_that_nobody_asked_for_costs_the_dearest_and_is_told_of(
    house: System, stream: bool
) -> None:
    tenant = await house.tenant()
    request = {"model": "gpt-4o", "messages": HELLO, "stream": stream}
    async with house.client(tenant) as client:
        headers = {"x-sim": "tokens=50;sound=40"}
        assert (await client.post(CHAT, json=request, headers=headers)).status_code == 200
    [row] = await house.records(tenant, 1)
    assert (row["output_tokens"], row["audio_output_tokens"]) == (50, 40)
    assert row["cost_nano_usd"] == row["input_tokens"] * 2500 + 50 * 10_000
    async with httpx.AsyncClient() as client:
        page = (await client.get(f"{house.proxy_url}/metrics")).text
    assert 'tollkeeper_unpriced_kinds_total{kind="audio_output"}' in page


async def test_what_a_model_has_no_rates_for_at_all_is_charged_as_what_was_held(house: System) -> None:
    counted = {"input_tokens": 10, "output_tokens": 10, "total_tokens": 20}
    told = orjson.dumps({"created": 1, "data": [{"b64_json": ""}], "usage": counted})
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(told)
    with system(house.database_url, house.redis_url) as edge:
        edge.start("proxy")
        tenant = await edge.tenant()
        async with upstream(edge, head + told), edge.client(tenant) as client:
            drawn = {"model": "dall-e-3", "prompt": "A house", "quality": "hd"}
            assert (await client.post("/v1/images/generations", json=drawn)).content == told
        [row] = await edge.records(tenant, 1)
    assert (row["usage_source"], row["output_tokens"]) == ("hold", 0)
    assert row["cost_nano_usd"] == 80_000_000
