"""Of what an organization keeps upstream no byte is more than its plan allows; what is deleted makes room."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from ledger import organizations
from ledger.database import close_pool, open_pool, reading
from ledger.limits import Limits
from ledger.partitions import partition_of
from proxy.pipeline import RedisPipeline
from proxy.quota import keys
from proxy.reconciliation.repairs import Repairs
from tests.console.running import Console, serving
from tests.proxy.test_uploads import END, field, form, post
from tests.system import System, Tenant, until

MEGABYTE = 10**6
FILES = "/v1/files"


@pytest.fixture
async def redis(house: System) -> AsyncIterator[RedisPipeline]:
    async with RedisPipeline.opened(house.redis_url, timeout=5) as made:
        yield made


@pytest.fixture
async def console(house: System) -> AsyncIterator[Console]:
    async with serving(house.database_url, house.redis_url) as running:
        yield running


async def tenant_with(house: System, megabytes: int, **terms: Any) -> Tenant:
    return await house.tenant(limits=Limits(storage_mb=megabytes), unpriced_models="allow", **terms)


async def delete(house: System, tenant: Tenant, path: str) -> int:
    async with house.client(tenant) as client:
        return (await client.delete(path)).status_code


async def quota(console: Console, tenant: Tenant) -> tuple[str, str, str, str]:
    """As the console tells it once nothing is held: an answer may arrive before its call is settled."""

    async def told() -> tuple[str, str, str, str] | None:
        page = (await console.admin.get(f"/api/admin/organizations/{tenant.organization_id}/quota")).json()
        [row] = [row for row in page["data"] if row["name"] == "storage_mb"]
        return (row["limit"], row["used"], row["held"], row["remaining"]) if row["held"] == "0.00" else None

    return await until(told, "the settlements")


async def settled(redis: RedisPipeline, tenant: Tenant) -> int:
    """Bytes kept as Redis has them, once it holds none."""

    async def told() -> tuple[int] | None:
        kept, held = await counted(redis, tenant)
        return (kept,) if held == 0 else None

    [kept] = await until(told, "the settlements")
    return kept


async def counted(redis: RedisPipeline, tenant: Tenant) -> tuple[int, int]:
    """Bytes kept and held, as Redis has them."""
    name = keys.storage(partition_of(tenant.organization_id), f"o:{tenant.organization_id}")
    kept, held = await redis.execute("HMGET", name, "k", "hk")
    return int(kept or 0), int(held or 0)


def assert_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 429, answer.text
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
    assert "storage_mb" in error["message"]
    assert answer.headers["x-should-retry"] == "false"


async def test_uploads_end_where_the_room_does_and_deleting_makes_room(
    house: System, console: Console
) -> None:
    tenant = await tenant_with(house, 1)
    assert await quota(console, tenant) == ("1.00", "0.00", "0.00", "1.00")
    first = await post(house, tenant, form(bytes(600_000)))
    assert first.status_code == 200, first.text
    assert await quota(console, tenant) == ("1.00", "0.60", "0.00", "0.40")
    before = (await house.books())["total"]["requests"]
    assert_refused(await post(house, tenant, form(bytes(400_000))))
    assert (await house.books())["total"]["requests"] == before
    assert (await post(house, tenant, form(bytes(300_000)))).status_code == 200
    assert await delete(house, tenant, f"{FILES}/{first.json()['id']}") == 200
    assert await quota(console, tenant) == ("1.00", "0.30", "0.00", "0.70")
    assert (await post(house, tenant, form(bytes(600_000)))).status_code == 200
    assert_refused(await post(house, tenant, form(bytes(200_000))))
    assert await quota(console, tenant) == ("1.00", "0.90", "0.00", "0.10")


async def test_a_refused_upload_is_told_before_its_body_is_read(house: System) -> None:
    tenant = await tenant_with(house, 0)
    host, _, port = house.proxy_url.removeprefix("http://").rpartition(":")
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {FILES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {tenant.key}\r\n"
        head += "content-type: multipart/form-data; boundary=x\r\ncontent-length: 1000\r\n\r\n"
        writer.write(head.encode())
        assert (await reader.readline()).split()[1] == b"429"
        writer.close()
    assert_refused(await post(house, tenant, form(bytes(20 * MEGABYTE))))


@pytest.mark.parametrize("chunked", [False, True])
async def test_fifty_at_once_never_pass_the_limit(
    house: System, redis: RedisPipeline, console: Console, chunked: bool
) -> None:
    tenant = await tenant_with(house, 1)
    body = form(bytes(100_000))
    most = 10 * MEGABYTE // len(body) // 10

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 30_000):
            yield body[at : at + 30_000]

    async with house.client(tenant, limits=httpx.Limits(max_connections=50)) as client:
        headers = {"content-type": "multipart/form-data; boundary=boundary-of-the-tests"}

        async def upload() -> httpx.Response:
            return await client.post(FILES, content=pieces() if chunked else body, headers=headers)

        answers = await asyncio.gather(*(upload() for _ in range(50)))
        made = sum(answer.status_code == 200 for answer in answers)
        for answer in answers:
            if answer.status_code != 200:
                assert_refused(answer)
        assert 1 <= made <= most
        if not chunked:
            assert made == most
        while (await upload()).status_code == 200:
            made += 1
        assert made * 100_000 <= MEGABYTE < made * 100_000 + len(body)
    assert await settled(redis, tenant) == made * 100_000
    await house.quiet()
    assert (await quota(console, tenant))[1:3] == (f"{made / 10:.2f}", "0.00")


async def test_an_upload_that_does_not_say_its_length_ends_where_the_room_does(
    house: System, redis: RedisPipeline
) -> None:
    tenant = await tenant_with(house, 1)
    body = form(bytes(3 * MEGABYTE))

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 100_000):
            yield body[at : at + 100_000]

    assert_refused(await post(house, tenant, pieces()))
    assert await settled(redis, tenant) == 0


async def test_what_fails_upstream_takes_no_room(house: System, redis: RedisPipeline) -> None:
    tenant = await tenant_with(house, 1)
    refused = await post(house, tenant, form(bytes(600_000)), **{"x-sim": "status=400"})
    assert refused.status_code == 400
    assert await settled(redis, tenant) == 0
    assert (await post(house, tenant, form(bytes(900_000)))).status_code == 200


async def test_parts_of_uploads_and_files_in_containers_count_until_they_are_gone(
    house: System, console: Console
) -> None:
    tenant = await tenant_with(house, 1)
    content = bytes(300_000)
    part = field("data", content, "a") + END
    asked = {"bytes": len(content), "filename": "a", "mime_type": "text/plain", "purpose": "user_data"}
    async with house.client(tenant) as client:
        one, other = [(await client.post("/v1/uploads", json=asked)).json()["id"] for _ in range(2)]
        made = [await post(house, tenant, part, f"/v1/uploads/{upload}/parts") for upload in (one, other)]
        assert [answer.status_code for answer in made] == [200, 200]
        assert (await quota(console, tenant))[1].startswith("0.600")
        assert_refused(await post(house, tenant, form(bytes(400_000))))
        done = await client.post(f"/v1/uploads/{one}/complete", json={"part_ids": [made[0].json()["id"]]})
        assert done.json()["file"]["bytes"] == len(content)
        assert (await client.post(f"/v1/uploads/{other}/cancel")).status_code == 200
        assert (await quota(console, tenant))[1] == "0.30"
        container = (await client.post("/v1/containers", json={"name": "c"})).json()["id"]
        inside = await post(
            house, tenant, field("file", content, "a") + END, f"/v1/containers/{container}/files"
        )
        assert inside.status_code == 200
        copied = await client.post(
            f"/v1/containers/{container}/files", json={"file_id": done.json()["file"]["id"]}
        )
        assert copied.status_code == 200
        assert (await quota(console, tenant))[1] == "0.60"
        assert (await client.delete(f"/v1/containers/{container}")).status_code == 200
    assert (await quota(console, tenant))[1] == "0.30"
    assert (await post(house, tenant, form(bytes(600_000)))).status_code == 200


async def test_what_was_deleted_stays_its_owners_and_frees_its_room_once(
    house: System, console: Console
) -> None:
    tenant, stranger = await tenant_with(house, 1), await tenant_with(house, 1)
    made = [(await post(house, tenant, form(bytes(200_000)))).json()["id"] for _ in range(3)]
    path = f"{FILES}/{made[0]}"
    assert await delete(house, tenant, path) == 200
    assert [await delete(house, tenant, path) for _ in range(3)] == [404] * 3
    assert (await quota(console, tenant))[1] == "0.40"
    await house.quiet()
    await house.forget_objects(tenant)
    assert await delete(house, stranger, path) == 404
    rows = await house.fetch("select organization_id, deleted_at from upstream_object where id = $1", made[0])
    assert rows[0]["organization_id"] == tenant.organization_id
    assert rows[0]["deleted_at"] is not None
    assert (await quota(console, tenant))[1] == "0.40"


async def test_room_that_redis_lost_is_counted_again_before_the_next_upload(
    house: System, redis: RedisPipeline
) -> None:
    tenant = await tenant_with(house, 1)
    assert (await post(house, tenant, form(bytes(600_000)))).status_code == 200
    await redis.execute(
        "DEL", keys.storage(partition_of(tenant.organization_id), f"o:{tenant.organization_id}")
    )
    assert_refused(await post(house, tenant, form(bytes(600_000))))
    assert await settled(redis, tenant) == 600_000


async def test_what_has_expired_makes_room(house: System, redis: RedisPipeline) -> None:
    tenant = await tenant_with(house, 1)
    assert (await post(house, tenant, form(bytes(600_000)))).status_code == 200
    await house.quiet()
    await house.execute(
        "update upstream_object set expires_at = now() where organization_id = $1", tenant.organization_id
    )
    assert_refused(await post(house, tenant, form(bytes(600_000))))
    name = keys.storage(partition_of(tenant.organization_id), f"o:{tenant.organization_id}")
    await redis.execute("HINCRBY", name, "at", -61_000)
    assert (await post(house, tenant, form(bytes(600_000)))).status_code == 200


async def test_the_worker_counts_again_what_was_counted_wrong(house: System, redis: RedisPipeline) -> None:
    tenant = await tenant_with(house, 1)
    assert (await post(house, tenant, form(bytes(600_000)))).status_code == 200
    assert await settled(redis, tenant) == 600_000
    name = keys.storage(partition_of(tenant.organization_id), f"o:{tenant.organization_id}")
    pool = await open_pool(house.database_url, size=2)
    try:
        async with reading(pool) as connection:
            organization = await organizations.get(connection, tenant.organization_id)
        for drift in (-500_000, 500_000):
            await redis.execute("HINCRBY", name, "k", drift)
            await Repairs(redis).look_after(pool, organization, datetime.now(UTC))
            assert await settled(redis, tenant) == 600_000
    finally:
        await close_pool(pool)


async def test_what_is_told_on_the_way_to_the_ledger_counts_and_makes_room(
    house: System, console: Console
) -> None:
    tenant = await tenant_with(house, 1)
    drain = house.children["drain"]
    drain.signal(signal.SIGSTOP)
    try:
        made = [await post(house, tenant, form(bytes(size))) for size in (600_000, 300_000)]
        assert await quota(console, tenant) == ("1.00", "0.90", "0.00", "0.10")
        assert await delete(house, tenant, f"{FILES}/{made[0].json()['id']}") == 200
        assert await quota(console, tenant) == ("1.00", "0.30", "0.00", "0.70")
        assert (await post(house, tenant, form(bytes(600_000)))).status_code == 200
        assert_refused(await post(house, tenant, form(bytes(200_000))))
    finally:
        drain.signal(signal.SIGCONT)
    await house.quiet()
    assert await quota(console, tenant) == ("1.00", "0.90", "0.00", "0.10")


async def test_a_limit_that_comes_later_finds_what_is_kept_already(house: System) -> None:
    tenant = await house.tenant()
    assert (await post(house, tenant, form(bytes(600_000)))).status_code == 200
    await house.execute("update plan set limits = '{\"storage_mb\": 1}' where id = $1", tenant.plan_id)
    limited = await house.another_key(tenant)
    assert_refused(await post(house, limited, form(bytes(600_000))))
    assert (await post(house, limited, form(bytes(300_000)))).status_code == 200


async def test_the_hold_of_an_upload_ends_with_its_client(house: System, redis: RedisPipeline) -> None:
    tenant = await tenant_with(house, 1)
    body = form(bytes(800_000))

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:1000]
        await asyncio.sleep(60)

    going = asyncio.create_task(post(house, tenant, pieces(), **{"content-length": str(len(body))}))

    async def held() -> bool | None:
        return True if await counted(redis, tenant) == (0, len(body)) else None

    await until(held, "the hold")
    assert_refused(await post(house, tenant, form(bytes(300_000))))
    going.cancel()
    await asyncio.wait([going])

    async def free() -> bool | None:
        return True if await counted(redis, tenant) == (0, 0) else None

    await until(free, "the end of the hold")
    assert (await post(house, tenant, body)).status_code == 200
