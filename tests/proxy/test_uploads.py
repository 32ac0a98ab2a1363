"""Files that pass as they come: unchanged, at the slower side's pace, checked on the way, counted as they passed."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ledger.limits import Limits
from proxy.pipeline import RedisPipeline
from proxy.quota.view import read_holds
from tests.proxy.test_disconnects import no_hold
from tests.system import System, Tenant, until

FILES = "/v1/files"
TYPE = "multipart/form-data; boundary=boundary-of-the-tests"
MEBIBYTE = 1024 * 1024
END = b"--boundary-of-the-tests--\r\n"


def field(name: str, value: bytes, filename: str | None = None) -> bytes:
    named = "" if filename is None else f'; filename="{filename}"'
    head = f'--boundary-of-the-tests\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def form(content: bytes) -> bytes:
    return field("purpose", b"user_data") + field("file", content, "a.bin") + b"--boundary-of-the-tests--\r\n"


@pytest.fixture
async def tenant(house: System) -> Tenant:
    return await house.tenant()


async def post(house: System, tenant: Tenant, body: Any, path: str = FILES, **headers: str) -> httpx.Response:
    async with house.client(tenant) as client:
        return await client.post(path, content=body, headers={"content-type": TYPE, **headers})


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_file_passes_unchanged_and_comes_back(house: System, tenant: Tenant, chunked: bool) -> None:
    content = os.urandom(3 * MEBIBYTE)
    body = form(content)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 100_003):
            yield body[at : at + 100_003]

    made = await post(house, tenant, pieces() if chunked else body)
    assert (made.status_code, made.text[:0]) == (200, ""), made.text
    assert made.json()["bytes"] == len(content)
    async with house.client(tenant) as client:
        got = await client.get(f"{FILES}/{made.json()['id']}/content")
    assert got.content == content
    up, down = await house.records(tenant, 2)
    assert (up["endpoint"], up["request_bytes"], up["price_nano"]) == (FILES, len(body), 0)
    assert (up["status"], up["outcome"], up["usage_source"]) == (200, "completed", "provider")
    assert (down["response_bytes"], down["request_bytes"]) == (len(content), 0)
    await no_hold(house, tenant)


@pytest.mark.parametrize("name", ["file_id", "FILE_ID", "a[file_id]"])
@pytest.mark.parametrize("place", ["first", "last"])
async def test_a_field_that_names_an_object_must_name_ones_own(house: System, place: str, name: str) -> None:
    owner, stranger = await house.tenant(), await house.tenant(unpriced_models="allow")
    theirs = (await post(house, owner, form(b"secret"))).json()["id"]
    async with house.client(stranger) as client:
        container = (await client.post("/v1/containers", json={"name": "c"})).json()["id"]
    mine = (await post(house, stranger, form(b"mine"))).json()["id"]
    path = f"/v1/containers/{container}/files"
    for identifier, status in ((theirs, 404), (mine, 200)):
        parts = [field(name, identifier.encode()), field("file", bytes(300_000), "a.txt")]
        body = b"".join(parts if place == "first" else reversed(parts)) + END
        answer = await post(house, stranger, body, path)
        assert answer.status_code == status, answer.text
    async with house.client(stranger) as client:
        assert len((await client.get(path)).json()["data"]) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_form"),
        (b"{}", "invalid_form"),
        (form(b"x")[:-20], "invalid_form"),
        (form(b"x") + form(b"y"), "invalid_form"),
        (b"preamble\r\n" + form(b"x"), "invalid_form"),
        (field("purpose", b"x" * 70_000) + END, "invalid_form"),
        (field("file_id", b"file-of-others", "a.txt") + END, "invalid_type"),
        (form(b"x").replace(b"name=", b"name*=", 1), "invalid_form"),
    ],
)
@pytest.mark.parametrize("pieces", [False, True])
async def test_a_form_that_might_be_read_otherwise_is_refused(
    house: System, tenant: Tenant, body: bytes, code: str, pieces: bool
) -> None:
    async def one_by_one() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 1000 if len(body) > 1000 else 1):
            yield body[at : at + (1000 if len(body) > 1000 else 1)]

    before = (await house.books())["total"]["completed"]
    answer = await post(house, tenant, one_by_one() if pieces else body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert (await house.books())["total"]["completed"] == before
    [row] = await house.records(tenant, 1)
    assert (row["status"], row["price_nano"]) == (400, 0)
    await no_hold(house, tenant)


async def test_uploads_count_as_requests_and_traffic(house: System) -> None:
    tenant = await house.tenant(limits=Limits(requests_per_minute=2, traffic_gb_per_month=1))
    content = os.urandom(MEBIBYTE)
    assert (await post(house, tenant, form(content))).status_code == 200
    await house.execute(
        "update usage set request_bytes = 999000000 where organization_id = $1",
        (await house.records(tenant, 1))[0]["organization_id"],
    )
    await house.forget_counters(tenant)
    refused = await post(house, tenant, form(content))
    assert refused.status_code == 429
    assert "traffic_gb_per_month" in refused.json()["error"]["message"]
    assert (await post(house, tenant, form(b"small"))).status_code == 200
    assert (await post(house, tenant, form(b"small"))).status_code == 429
    assert len(await house.records(tenant, 2)) == 2


async def test_no_more_uploads_run_at_once_than_allowed(house: System) -> None:
    tenant = await house.tenant(limits=Limits(concurrent_requests=1))
    body = form(b"x" * 1000)
    waiting = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:500]
        await waiting.wait()
        yield body[500:]

    async with asyncio.TaskGroup() as group:
        first = group.create_task(post(house, tenant, pieces()))
        async with RedisPipeline.opened(house.redis_url, timeout=5) as redis:

            async def held() -> bool | None:
                return True if await read_holds(redis, tenant.organization_id) else None

            await until(held, "the hold of the first")
        second = await post(house, tenant, body)
        waiting.set()
    assert (first.result().status_code, second.status_code) == (200, 429)
    assert (await post(house, tenant, body)).status_code == 200


async def test_a_part_of_an_upload_of_others_is_refused_before_it_is_sent(
    house: System, tenant: Tenant
) -> None:
    asked = {"bytes": 3, "filename": "a", "mime_type": "text/plain", "purpose": "user_data"}
    async with house.client(tenant) as client:
        begun = (await client.post("/v1/uploads", json=asked)).json()["id"]
    body = field("data", b"abc", "a") + END
    stranger = await house.tenant()
    before = (await house.books())["total"]["requests"]
    assert (await post(house, stranger, body, f"/v1/uploads/{begun}/parts")).status_code == 404
    assert (await house.books())["total"]["requests"] == before
    assert (await post(house, tenant, body, f"/v1/uploads/{begun}/parts")).status_code == 200
