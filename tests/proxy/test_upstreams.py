"""A running proxy with several upstreams: one record for each call, naming the upstream that answered."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy.pipeline import RedisPipeline
from proxy.quota.view import read_holds
from runtime import ports
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.system import System, Tenant, prepare, system, until
from tests.wire import WireClient

CHAT = "/v1/chat/completions"
DATABASE = "test_upstreams"
FILE = """
upstreams:
  - name: nowhere
    base_url: http://127.0.0.1:{nowhere}/v1
    models: [gpt-4o-mini]
  - name: limited
    base_url: {simulator}/v1
    api_key_env: OPENAI_API_KEY
    aliases: {{gpt-4o-mini: gpt-4o-mini+status=429;retry_after=30}}
    priority: 1
  - name: sound
    base_url: {simulator}/v1
    api_key_env: OPENAI_API_KEY
    aliases: {{gpt-4o-mini: gpt-4o+tokens=7}}
    priority: 2
  - name: hesitant
    base_url: {simulator}/v1
    api_key_env: OPENAI_API_KEY
    aliases: {{gpt-4o: gpt-4o+status=503;retry_after=5}}
    priority: 3
retries: {{longest_wait: 10}}
"""


@pytest.fixture(scope="module")
def plane(postgres: Postgres, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    asyncio.run(postgres.create_database(DATABASE))
    asyncio.run(prepare(postgres.url(DATABASE)))
    file: Path = tmp_path_factory.mktemp("upstreams") / "upstreams.yaml"
    with (
        ports.reserve("127.0.0.1", 0, option="port") as nobody,
        system(postgres.url(DATABASE), valkey.url(14), UPSTREAMS_FILE=str(file)) as made,
    ):
        file.write_text(FILE.format(nowhere=ports.number(nobody), simulator=made.upstream_url))
        made.start("upstream", "drain", "proxy")
        yield made


@pytest.fixture
async def tenant(plane: System) -> Tenant:
    return await plane.tenant(unpriced_models="allow")


def body(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Say something"}], **more}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_falls_back_twice_is_answered_and_recorded_once(
    plane: System, tenant: Tenant, stream: bool
) -> None:
    name = f"fallback-{tenant.organization_id}"
    async with plane.client(tenant) as client:
        wanted = body("gpt-4o-mini", stream=stream)
        answer = await client.post(CHAT, json=wanted, headers={"x-client-request-id": name})
    assert answer.status_code == 200
    [row] = await plane.records(tenant, 1)
    assert (row["upstream"], row["model"], row["usage_source"]) == ("sound", "gpt-4o-mini", "provider")
    assert (row["status"], row["output_tokens"]) == (200, 7)
    seen = (await plane.books(client_request_id=name))["requests"]
    assert [entry["model"] for entry in seen if entry["completion_tokens_served"]] == ["gpt-4o"]
    assert sum(entry["completion_tokens_served"] for entry in seen) == 7
    async with httpx.AsyncClient() as client:
        page = (await client.get(f"{plane.proxy_url}/metrics")).text
    assert 'tollkeeper_upstream_attempts_total{result="connect",upstream="nowhere"}' in page
    assert 'tollkeeper_upstream_fallbacks_total{reason="429",to="sound",upstream="limited"}' in page
    assert 'tollkeeper_upstream_breaker{upstream="sound"} 0.0' in page


async def test_a_client_that_leaves_while_a_retry_waits_pays_nothing_and_is_settled_once(
    plane: System, tenant: Tenant
) -> None:
    name = f"waits-{tenant.organization_id}"
    client = await WireClient.post(
        plane.proxy_url, CHAT, tenant.key, body("gpt-4o"), x_client_request_id=name
    )

    async def refused() -> bool | None:
        seen = (await plane.books(client_request_id=name))["requests"]
        return True if seen and seen[0]["ended"] else None

    await until(refused, "the first attempt to be refused")
    client.leave()
    [row] = await plane.records(tenant, 1)
    assert (row["outcome"], row["status"], row["upstream"]) == ("client_gone", 499, "hesitant")
    assert (row["input_tokens"], row["output_tokens"], row["price_nano"]) == (0, 0, 0)
    async with RedisPipeline.opened(plane.redis_url, timeout=5) as redis:
        assert not await read_holds(redis, tenant.organization_id)
    assert len((await plane.books(client_request_id=name))["requests"]) == 1


async def test_a_model_that_no_upstream_serves_is_not_found_and_holds_nothing(
    plane: System, tenant: Tenant
) -> None:
    async with plane.client(tenant) as client:
        answer = await client.post(CHAT, json=body("gpt-5.1"))
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert not await plane.fetch("select 1 from usage where organization_id = $1", tenant.organization_id)
