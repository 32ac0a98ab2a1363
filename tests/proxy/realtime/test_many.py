"""Many sessions at once, some of whose clients vanish: the provider's books, the records and the counters agree."""

import asyncio
import random
from datetime import UTC, datetime

from redis.asyncio import Redis

from ledger.partitions import partition_of
from ledger.periods import month_of
from proxy.quota import keys
from proxy.quota.clock import milliseconds
from tests.proxy.realtime.stage import client, heard, told
from tests.system import System, Tenant

SESSIONS = 40


async def talk(house: System, tenant: Tenant, name: str, turns: int, *, vanishes: bool) -> None:
    headers = {
        "x-sim": f"tokens={20 + turns};pace=5",
        "x-client-request-id": name,
        "x-tollkeeper-label": name,
    }
    async with client(house, tenant, headers=headers) as connection:
        await heard(connection)
        for number in range(turns):
            await told(connection, "response.create")
            events = 0
            while (await heard(connection))["type"] != "response.done":
                events += 1
                if vanishes and number == turns - 1 and events > 8:
                    connection.transport.abort()
                    return


async def test_nothing_is_lost_or_doubled(house: System) -> None:
    tenant = await house.tenant(limits={"concurrent_requests": SESSIONS})
    chance = random.Random(7)
    plans = {
        f"{tenant.key_id}-{number}": (chance.randint(1, 4), chance.random() < 0.4)
        for number in range(SESSIONS)
    }
    await asyncio.gather(
        *(talk(house, tenant, name, turns, vanishes=gone) for name, (turns, gone) in plans.items())
    )
    await house.quiet()
    turns = sum(turns for turns, _ in plans.values())
    rows = await house.records(tenant, turns)
    assert any(row["outcome"] == "client_gone" for row in rows)
    for name, (count, gone) in plans.items():
        own, each = [row for row in rows if row["search_term"] == name], 20 + count
        [entry] = (await house.books(client_request_id=name))["requests"]
        told_of = [row["output_tokens"] for row in own if row["usage_source"] == "provider"]
        cut = [row for row in own if row["outcome"] == "client_gone"]
        assert len(told_of) + len(cut) == count
        assert len(cut) <= gone
        assert all(row["usage_source"] == "tokenizer" and 0 < row["output_tokens"] <= each for row in cut)
        # A response may have come to its end at the provider when its client had left.
        assert entry["completion_tokens_served"] - sum(told_of) in ((0, each) if cut else (0,))
        assert set(told_of) <= {each}

    start = milliseconds(month_of(datetime.now(UTC), "UTC").start)
    counted = keys.period(partition_of(tenant.organization_id), f"o:{tenant.organization_id}", start)
    redis = Redis.from_url(house.redis_url)
    used, tokens, held = await redis.hmget(counted, ["r", "t", "ht"])
    await redis.aclose()
    assert int(used or 0) == turns
    assert int(tokens or 0) == sum(row["input_tokens"] + row["output_tokens"] for row in rows)
    assert int(held or 0) == 0
