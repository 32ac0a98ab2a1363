"""Files that pass as they come: unchanged, at the slower side's pace, checked on the way, counted as they passed."""

import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.proxy.test_disconnects import no_hold
from tests.system import System, Tenant

FILES = "/v1/files"
TYPE = "multipart/form-data; boundary=boundary-of-the-tests"
MEBIBYTE = 1024 * 1024


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
