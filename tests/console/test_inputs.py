import asyncio
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.operations import OPERATIONS
from tests.console.running import ADMIN_TOKEN, Console, Fields, refused

PATH = "/api/admin/organizations"
JSON = {"content-type": "application/json"}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["\0", "1e999", "-1", "NaN", "2026-11-21T00:00:00", "Europe/Paris", "€" * 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


BROKEN = [
    b"{",
    b"",
    b"null,",
    b"\xff\xfe",
    b'{"name": "\\ud800"}',
    b'{"name": NaN}',
    b"[" * 50_000,
    b'{"name":1e999}',
]


async def test_broken_json_is_refused(console: Console) -> None:
    for body in BROKEN:
        refused(await console.admin.post(PATH, content=body, headers=JSON), 400, says="JSON")


NO_OBJECTS = [b"[]", b'"x"', b"7", b"null", b"true"]


async def test_what_is_no_object_is_refused(console: Console) -> None:
    for body in NO_OBJECTS:
        refused(await console.admin.post(PATH, content=body, headers=JSON), 400, says="object")


async def test_other_content_types_are_refused(console: Console) -> None:
    body = b'{"name": "x"}'
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        refused(await console.admin.post(PATH, content=body, headers={"content-type": kind}), 415)
    packed = {**JSON, "content-encoding": "gzip"}
    refused(await console.admin.post(PATH, content=body, headers=packed), 415)
    charset = {"content-type": "Application/JSON; charset=utf-8"}
    assert (await console.admin.post(PATH, content=body, headers=charset)).status_code == 201
    assert (await console.admin.post(PATH, content=body)).status_code == 201


async def test_a_body_too_large_is_refused_whether_it_says_so_or_not(console: Console) -> None:
    large = orjson.dumps({"name": "x" * 1_000_001})
    refused(await console.admin.post(PATH, content=large, headers=JSON), 413)

    async def pieces() -> Any:
        for start in range(0, len(large), 50_000):
            yield large[start : start + 50_000]

    refused(await console.admin.post(PATH, content=pieces(), headers=JSON), 413)
    fitting = orjson.dumps({"name": "x", "email": "a@" + "b" * 999_000})
    refused(await console.admin.post(PATH, content=fitting, headers=JSON), 400, "email")


async def test_fifty_megabytes_are_refused_before_they_are_sent(console: Console) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", console.port)
    writer.write(
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_TOKEN}\r\n"
        "content-type: application/json\r\ncontent-length: 52428800\r\n\r\n{".encode()
    )
    async with asyncio.timeout(10):
        assert b" 413 " in await reader.readline()
    writer.close()


async def test_a_client_that_leaves_in_the_middle_changes_nothing(console: Console) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", console.port)
    writer.write(
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN_TOKEN}\r\n"
        'content-type: application/json\r\ncontent-length: 100\r\n\r\n{"name": "x"}'.encode()
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await console.admin.get(PATH)).json()["data"] == []


async def test_an_operation_without_a_body_refuses_fields(console: Console, organization: Fields) -> None:
    key = await console.key(organization)
    path = f"/api/admin/keys/{key['id']}/rotate"
    refused(await console.admin.post(path, json={"key": "sk-tk-mine"}), 400, "key")
    assert (await console.admin.post(path, json={})).status_code == 200


async def test_a_query_must_be_understood(console: Console) -> None:
    refused(await console.admin.get(f"{PATH}?page=2"), 400, "page")
    refused(await console.admin.get(f"{PATH}?limit=1&limit=2"), 400, "limit")
    refused(await console.admin.get(f"{PATH}?limit=%ff"), 400)
    refused(await console.admin.get(f"{PATH}?cursor={'x' * 9_000}"), 414)
    refused(await console.admin.get(f"{PATH}/x?verbose=1"), 400, "verbose")
    assert (await console.admin.get(f"{PATH}?cursor=&limit=")).status_code == 200


async def test_nothing_that_is_sent_is_answered_by_a_fault(console: Console, organization: Fields) -> None:
    """Any body at any operation that takes one: done or refused, never a fault."""
    targets = [
        (
            operation.method,
            operation.path.replace("{id}", organization["id"]),
            list(operation.body.model_fields),
        )
        for operation in OPERATIONS
        if operation.body.model_fields
    ]
    loop = asyncio.get_running_loop()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def attack(data: st.DataObject) -> None:
        method, path, names = data.draw(st.sampled_from(targets))
        body = data.draw(
            st.dictionaries(st.sampled_from(names) | st.text(max_size=8), values, max_size=5) | values
        )
        sending = console.admin.request(method, path, content=_dumped(body), headers=JSON)
        answer = asyncio.run_coroutine_threadsafe(sending, loop).result(30)
        assert answer.status_code < 500, (method, path, body, answer.text)
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
            assert "Traceback" not in answer.text

    await asyncio.to_thread(attack)


def _dumped(body: object) -> bytes:
    import json

    return json.dumps(body).encode()


async def test_no_query_is_answered_by_a_fault(console: Console) -> None:
    names = ["from", "to", "cursor", "limit", "group_by", "organization", "model", "object"]
    loop = asyncio.get_running_loop()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(["usage", "audit", "plans"]),
        st.dictionaries(
            st.sampled_from(names), st.text(max_size=30) | st.sampled_from(["WyJhIl0", "W10"]), max_size=4
        ),
    )
    def attack(path: str, query: dict[str, str]) -> None:
        try:
            sending = console.admin.get(f"/api/admin/{path}", params=query)
        except UnicodeEncodeError:
            return
        answer = asyncio.run_coroutine_threadsafe(sending, loop).result(30)
        assert answer.status_code < 500, (path, query, answer.text)

    await asyncio.to_thread(attack)
