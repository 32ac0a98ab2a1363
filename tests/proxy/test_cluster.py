"""The data plane on a Redis Cluster of three nodes: two proxies and a drain, as on one Redis."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from ledger.announcements import announce
from ledger.limits import Limits
from ledger.partitions import partition_of
from proxy.pipeline import RedisPipeline
from proxy.quota.limits import Scope
from proxy.quota.view import LimitState, read_holds, read_quota
from runtime.engines.postgres import Postgres
from tests.system import System, Tenant, prepare, system, until
from tests.valkey_cluster import ClusterNode, ValkeyCluster, wait

CHAT = "/v1/chat/completions"
BOUND = 0.25
SLACK = 0.25
"""What a busy machine, identification and the way there and back may add."""


@pytest.fixture(scope="module")
def first(postgres: Postgres, valkey_cluster: ValkeyCluster) -> Iterator[System]:
    name = "test_cluster"
    asyncio.run(postgres.create_database(name))
    asyncio.run(prepare(postgres.url(name)))
    with system(postgres.url(name), valkey_cluster.url) as made:
        made.start("upstream", "drain", "proxy")
        yield made


@pytest.fixture(scope="module")
def second(first: System) -> Iterator[System]:
    """Another proxy on the same stores and upstream."""
    upstream = f"{first.upstream_url}/v1"
    with system(first.database_url, first.redis_url, OPENAI_BASE_URL=upstream) as made:
        made.start("proxy")
        yield made


@pytest.fixture(autouse=True)
def whole(valkey_cluster: ValkeyCluster) -> None:
    wait(lambda: valkey_cluster.whole, "the cluster to be whole")


def chat(model: str = "gpt-4o-mini+tokens=5", **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Go on"}], "max_tokens": 400} | members


async def tenant_at(house: System, cluster: ValkeyCluster, node: ClusterNode, **limits: int) -> Tenant:
    """An organization whose partition lies at this node."""
    while True:
        made = await house.tenant(limits=Limits(**limits), unpriced_models="allow")
        if cluster.owner(partition_of(made.organization_id)) is node:
            return made


async def quota(house: System, tenant: Tenant, **limits: int) -> dict[str, LimitState]:
    """What people are shown of the organization's limits."""
    scope = Scope.of(f"o:{tenant.organization_id}", Limits(**limits))
    async with RedisPipeline.opened(house.redis_url, timeout=5) as redis:
        states = await read_quota(redis, tenant.organization_id, [scope], "UTC", datetime.now(UTC))
        assert await read_holds(redis, tenant.organization_id) == []
    return {state.name: state for state in states}


async def settled(house: System, tenant: Tenant, count: int) -> None:
    """Once all is at rest: as many records, and counters that say the same."""
    await house.quiet()
    rows = await house.records(tenant, count)
    assert {row["outcome"] for row in rows} <= {"completed"}
    states = await quota(house, tenant, tokens_per_month=10**9, requests_per_month=10**9)
    assert (states["requests_per_month"].used, states["requests_per_month"].held) == (count, 0)
    tokens = sum(row["input_tokens"] + row["output_tokens"] for row in rows)
    assert (states["tokens_per_month"].used, states["tokens_per_month"].held) == (tokens, 0)


async def test_calls_are_recorded_and_counted_on_every_node(
    first: System, valkey_cluster: ValkeyCluster
) -> None:
    for node in valkey_cluster.primaries:
        tenant = await tenant_at(first, valkey_cluster, node, tokens_per_month=10_000)
        async with first.client(tenant) as client:
            answers = await asyncio.gather(*(client.post(CHAT, json=chat()) for _ in range(5)))
            streamed = await client.post(CHAT, json=chat(stream=True))
        assert {answer.status_code for answer in (*answers, streamed)} == {200}
        await settled(first, tenant, 6)


async def test_a_limit_is_exact_over_two_proxies(first: System, second: System) -> None:
    tenant = await first.tenant(limits=Limits(requests_per_minute=50), unpriced_models="allow")
    limits = httpx.Limits(max_connections=100)
    async with first.client(tenant, limits=limits) as one, second.client(tenant, limits=limits) as two:
        answers = await asyncio.gather(
            *(client.post(CHAT, json=chat()) for _ in range(100) for client in (one, two))
        )
    assert Counter(answer.status_code for answer in answers) == {200: 50, 429: 150}
    await settled(first, tenant, 50)


async def load(houses: list[System], tenant: Tenant, trouble: Callable[[], Awaitable[None]]) -> Counter[int]:
    """How calls end while there is trouble."""
    statuses: Counter[int] = Counter()
    over = asyncio.Event()

    async def call(client: httpx.AsyncClient, stream: bool) -> None:
        while not over.is_set():
            answer = await client.post(CHAT, json=chat("gpt-4o-mini+tokens=5;delay=5", stream=stream))
            statuses[answer.status_code] += 1

    async with houses[0].client(tenant) as one, houses[-1].client(tenant) as two:
        calls = [
            asyncio.create_task(call(each, stream)) for each in (one, two) for stream in (True, False) * 3
        ]
        try:
            await trouble()
        finally:
            over.set()
            await asyncio.gather(*calls)
    return statuses


async def test_slots_that_move_under_load_lose_and_double_nothing(
    first: System, second: System, valkey_cluster: ValkeyCluster
) -> None:
    source, target, *_ = valkey_cluster.primaries
    tenant = await tenant_at(first, valkey_cluster, source, tokens_per_month=10**7)
    partition = partition_of(tenant.organization_id)

    async def move() -> None:
        for to in (target, source, target):
            await asyncio.sleep(0.2)
            # Halfway for a while: what needs keys of both sides waits.
            await asyncio.to_thread(valkey_cluster.move, partition, to, lambda: time.sleep(0.1))
        await asyncio.sleep(0.2)

    statuses = await load([first, second], tenant, move)
    assert set(statuses) <= {200, 503}
    assert statuses[200] > 5 * statuses[503]
    assert valkey_cluster.owner(partition) is target
    await settled(first, tenant, statuses[200])


async def test_a_frozen_node_refuses_its_organizations_in_time_and_no_others(
    first: System, valkey_cluster: ValkeyCluster
) -> None:
    frozen, other, *_ = valkey_cluster.primaries
    lost = await tenant_at(first, valkey_cluster, frozen, tokens_per_month=10**6)
    kept = await tenant_at(first, valkey_cluster, other, tokens_per_month=10**6)
    served = 1
    async with first.client(lost) as losing, first.client(kept) as keeping:
        for client in (losing, keeping):
            assert (await client.post(CHAT, json=chat())).status_code == 200
        streaming = asyncio.create_task(
            losing.post(CHAT, json=chat("gpt-4o-mini+pace=20;tokens=40", stream=True))
        )
        await first.records(lost, 1)
        with frozen.frozen():
            for _ in range(5):
                begun = time.monotonic()
                refused, answer = await asyncio.gather(
                    losing.post(CHAT, json=chat()), keeping.post(CHAT, json=chat())
                )
                assert time.monotonic() - begun < BOUND + SLACK
                assert refused.status_code == 503
                assert refused.json()["error"]["code"] == "limits_unavailable"
                assert answer.status_code == 200
                served += 1
            assert (await keeping.get("/readyz")).status_code == 200
            # Neither the drain nor the other's records wait for what is frozen.
            await first.records(kept, served)
            assert (await streaming).text.endswith("data: [DONE]\n\n")

        async def again() -> bool | None:
            return True if (await losing.post(CHAT, json=chat())).status_code == 200 else None

        await until(again, "the frozen node to serve again")
    await settled(first, lost, 3)
    await settled(first, kept, served)


async def test_a_revoked_key_is_refused_by_both_within_a_second_though_a_node_is_frozen(
    first: System, second: System, valkey_cluster: ValkeyCluster
) -> None:
    tenant = await first.tenant()
    async with first.client(tenant) as one, second.client(tenant) as two:
        for client in (one, two):
            assert (await client.get("/v1/models")).status_code == 200
        await first.execute("update api_key set revoked_at = now() where id = $1", tenant.key_id)
        async with RedisPipeline.opened(first.redis_url, timeout=0.25) as redis:
            assert await announce(redis, tenant.organization_id)
            async with asyncio.timeout(1):
                for client in (one, two):
                    while (await client.get("/v1/models")).status_code != 401:
                        await asyncio.sleep(0.01)
            for node in valkey_cluster.primaries:
                with node.frozen():
                    assert await announce(redis, tenant.organization_id)
        for node in valkey_cluster.primaries:
            with node.frozen():
                async with RedisPipeline.opened(first.redis_url, timeout=0.25) as redis:
                    assert await announce(redis, tenant.organization_id)
