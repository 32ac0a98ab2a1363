"""The official SDK on files, uploads in parts and files of containers: they come back as they went, for nothing."""

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import NotFoundError

from tests.sdk import Sdk, open_sdk
from tests.system import System

MEBIBYTE = 1024 * 1024


@pytest.fixture(params=["sync", "async"])
async def sdk(request: pytest.FixtureRequest, house: System) -> AsyncIterator[Sdk]:
    async with open_sdk(house, request.param) as opened:
        yield opened


async def nothing_paid(sdk: Sdk, *endpoints: str) -> None:
    """One record for each of these calls, of nothing but bytes."""
    rows = await sdk.house.records(sdk.tenant, len(endpoints))
    assert sorted(row["endpoint"] for row in rows) == sorted(endpoints)
    for row in rows:
        assert (row["price_nano"], row["input_tokens"], row["quantities"]) == (0, 0, "{}")
        assert (row["outcome"], row["usage_source"]) == ("completed", "provider")


async def test_a_file_is_uploaded_listed_read_and_deleted(sdk: Sdk) -> None:
    content = os.urandom(2 * MEBIBYTE)
    files = sdk.client.files
    made = await sdk.get(files.create(file=("a.bin", content), purpose="user_data"))
    assert (made.bytes, made.filename, made.purpose) == (len(content), "a.bin", "user_data")
    assert (await sdk.get(files.retrieve(made.id))).id == made.id
    assert [file.id for file in await sdk.all(files.list())] == [made.id]
    assert [file.id for file in await sdk.all(files.list(purpose="batch"))] == []
    assert (await sdk.get(files.content(made.id))).content == content
    stranger = sdk.by(await sdk.house.tenant())
    assert await stranger.all(stranger.client.files.list()) == []
    for call in (files.retrieve, files.content, files.delete):
        with pytest.raises(NotFoundError):
            await stranger.get(getattr(stranger.client.files, call.__name__)(made.id))
    assert (await sdk.get(files.delete(made.id))).deleted
    one = "/v1/files/{file}"
    await nothing_paid(sdk, "/v1/files", one, "/v1/files", "/v1/files", f"{one}/content", one)


async def test_a_file_is_uploaded_in_parts(sdk: Sdk) -> None:
    content, uploads = os.urandom(3 * MEBIBYTE), sdk.client.uploads
    begun = await sdk.get(
        uploads.create(
            bytes=len(content), filename="b.bin", mime_type="application/octet-stream", purpose="user_data"
        )
    )
    parts = [
        await sdk.get(uploads.parts.create(begun.id, data=content[at : at + MEBIBYTE]))
        for at in range(0, len(content), MEBIBYTE)
    ]
    stranger = sdk.by(await sdk.house.tenant())
    with pytest.raises(NotFoundError):
        await stranger.get(stranger.client.uploads.parts.create(begun.id, data=b"x"))
    with pytest.raises(NotFoundError):
        await stranger.get(stranger.client.uploads.complete(begun.id, part_ids=[parts[0].id]))
    done = await sdk.get(uploads.complete(begun.id, part_ids=[part.id for part in parts]))
    assert (await sdk.get(sdk.client.files.content(done.file.id))).content == content
    with pytest.raises(NotFoundError):
        await stranger.get(stranger.client.files.content(done.file.id))
    one = "/v1/uploads/{upload}"
    await nothing_paid(
        sdk, "/v1/uploads", *[f"{one}/parts"] * 3, f"{one}/complete", "/v1/files/{file}/content"
    )


async def test_the_helper_uploads_a_file_in_chunks_and_an_upload_is_cancelled(sdk: Sdk) -> None:
    uploads: Any = sdk.client.uploads
    done = await sdk.get(
        uploads.upload_file_chunked(
            file=os.urandom(2 * MEBIBYTE),
            filename="c.bin",
            bytes=2 * MEBIBYTE,
            mime_type="application/octet-stream",
            purpose="user_data",
            part_size=MEBIBYTE,
        )
    )
    assert done.status == "completed"
    asked = {"bytes": 1, "filename": "d", "mime_type": "text/plain", "purpose": "user_data"}
    begun = await sdk.get(uploads.create(**asked))
    assert (await sdk.get(uploads.cancel(begun.id))).status == "cancelled"


async def test_a_container_is_given_files(sdk: Sdk) -> None:
    other = sdk.by(await sdk.house.tenant(unpriced_models="allow"))
    containers = other.client.containers
    container = await other.get(containers.create(name="c"))
    file = await other.get(other.client.files.create(file=("a.txt", b"by its id"), purpose="user_data"))
    by_id = await other.get(containers.files.create(container.id, file_id=file.id))
    sent = await other.get(containers.files.create(container.id, file=("b.txt", b"as it is")))
    assert (
        await other.get(containers.files.content.retrieve(by_id.id, container_id=container.id))
    ).content == (b"by its id")
    assert (
        await other.get(containers.files.content.retrieve(sent.id, container_id=container.id))
    ).content == (b"as it is")
    found = await other.all(containers.files.list(container.id))
    assert {each.id for each in found} == {by_id.id, sent.id}
    with pytest.raises(NotFoundError):
        await sdk.get(sdk.client.containers.files.create(container.id, file=("b.txt", b"as it is")))
    with pytest.raises(NotFoundError):
        await sdk.get(sdk.client.containers.files.content.retrieve(sent.id, container_id=container.id))
    await other.get(containers.files.delete(sent.id, container_id=container.id))
    # A file of one's own, in a container of one's own, and a file of somebody else's there.
    mine = sdk.by(await sdk.house.tenant(unpriced_models="allow"))
    own = await mine.get(mine.client.containers.create(name="c"))
    with pytest.raises(NotFoundError):
        await mine.get(mine.client.containers.files.create(own.id, file_id=file.id))
