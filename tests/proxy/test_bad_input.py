"""Bad input: an error in OpenAI's shape, with the right status, that says nothing it shouldn't; nothing is charged."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.keys import KeyHasher
from tests.system import System, Tenant
from tests.wire import WireClient

CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Hello"}]


@pytest.fixture
async def tenant(house: System) -> Tenant:
    return await house.tenant(
        models=["gpt-4o-mini", "gpt-nobody-knows"], endpoints=["chat.completions", "models"]
    )


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error, which has OpenAI's shape and nothing else."""
    assert answer.headers["content-type"] == "application/json"
    content = answer.json()
    assert set(content) == {"error"}
    error: dict[str, Any] = content["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "Traceback" not in answer.text
    assert answer.headers["x-request-id"].startswith("req_")
    return error


async def nothing_charged(house: System, tenant: Tenant) -> None:
    """One good call afterwards leaves the only record there is, so the bad ones left none."""
    async with house.client(tenant) as client:
        good = await client.post(CHAT, json={"model": "gpt-4o-mini", "messages": MESSAGES})
    assert good.status_code == 200
    [row] = await house.records(tenant, 1)
    assert row["request_id"] == good.headers["x-request-id"]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"\xff\xfe", 400, None),
        (b"[1]", 400, None),
        (b'"text"', 400, None),
        (b"null", 400, None),
        (b"{}", 400, "model"),
        (b'{"model":null}', 400, "model"),
        (b'{"model":7}', 400, "model"),
        (b'{"model":""}', 400, "model"),
        (b'{"model":"a\\u0000b"}', 400, "model"),
        (b'{"model":"' + b"x" * 300 + b'"}', 400, "model"),
        (b'{"model":"gpt-4o-mini","stream":"yes"}', 400, "stream"),
        (b'{"model":"gpt-4o-mini","stream_options":7}', 400, "stream_options"),
        (b'{"model":"gpt-4o-mini","max_tokens":"many"}', 400, "max_tokens"),
        (b'{"model":"gpt-4o-mini","max_tokens":-1}', 400, "max_tokens"),
        (b'{"model":"gpt-4o-mini","max_completion_tokens":1.5}', 400, "max_completion_tokens"),
        (b'{"model":"gpt-4o-mini","max_tokens":true}', 400, "max_tokens"),
        (b'{"model":"gpt-4o-mini","n":0}', 400, "n"),
        (b'{"model":"gpt-4o-mini","max_tokens":99999999999999999999}', 400, "max_tokens"),
        (b'{"model":"gpt-4o","messages":[],"model":"gpt-4o-mini"}', 400, "model"),
        (b'{"model":"gpt-4o-mini","max_tokens":9999,"max_tokens":1}', 400, "max_tokens"),
    ],
)
async def test_what_cannot_be_understood_is_named(
    house: System, tenant: Tenant, body: bytes, status: int, param: str | None
) -> None:
    async with house.client(tenant) as client:
        answer = await client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert error_of(answer)["param"] == param
    await nothing_charged(house, tenant)


async def test_deeply_nested_json_is_refused(house: System, tenant: Tenant) -> None:
    depth = 100_000
    content = b'{"model":"gpt-4o-mini","messages":' + b"[" * depth + b"]" * depth + b"}"
    async with house.client(tenant) as client:
        answer = await client.post(CHAT, content=content)
    assert answer.status_code == 400
    error_of(answer)
    await nothing_charged(house, tenant)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_50_mb_is_refused_with_413(house: System, tenant: Tenant, chunked: bool) -> None:
    async def pieces() -> Any:
        for _ in range(50):
            yield b" " * 1_000_000

    async with house.client(tenant) as client:
        answer = await client.post(CHAT, content=pieces() if chunked else b" " * 50_000_000)
    assert answer.status_code == 413
    assert error_of(answer)["code"] == "request_too_large"
    await nothing_charged(house, tenant)


async def test_who_asks_first_need_not_send_a_body_that_is_too_large(house: System, tenant: Tenant) -> None:
    client = await WireClient.connect(house.proxy_url)
    client.writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\nexpect: 100-continue\r\n"
        b"authorization: Bearer " + tenant.key.encode() + b"\r\n\r\n"
    )
    assert b"413" in await client.read_until(b"\r\n")
    client.leave()


async def test_a_model_without_a_price_is_refused_with_402(house: System, tenant: Tenant) -> None:
    async with house.client(tenant) as client:
        answer = await client.post(CHAT, json={"model": "gpt-nobody-knows", "messages": MESSAGES})
    assert answer.status_code == 402
    assert error_of(answer)["param"] == "model"
    await nothing_charged(house, tenant)


async def test_a_model_or_endpoint_that_the_plan_excludes_is_refused_with_403(
    house: System, tenant: Tenant
) -> None:
    async with house.client(tenant) as client:
        model = await client.post(CHAT, json={"model": "gpt-4o", "messages": MESSAGES})
        endpoint = await client.post("/v1/embeddings", json={"model": "gpt-4o-mini", "input": "Hello"})
    assert (model.status_code, error_of(model)["code"]) == (403, "model_not_allowed")
    assert (endpoint.status_code, error_of(endpoint)["code"]) == (403, "endpoint_not_allowed")
    await nothing_charged(house, tenant)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "authorization: \r\n",
        "authorization: Bearer\r\n",
        "authorization: Bearer \r\n",
        "authorization: Basic dXNlcjpwYXNz\r\n",
        "authorization: Bearer sk-tk-nobody-has-this-key\r\n",
        "authorization: Bearer sk-proj-of-openai-itself\r\n",
        f"authorization: Bearer sk-tk-{'x' * 4000}\r\n",
        "authorization: Bearer sk-tk-\xe9\xff\r\n",
        "authorization: Bearer sk-tk-a\r\nauthorization: Bearer sk-tk-b\r\n",
    ],
)
async def test_a_missing_or_garbled_key_is_refused_with_401(house: System, line: str) -> None:
    client = await WireClient.connect(house.proxy_url)
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n{line}\r\n{{}}"
    client.writer.write(head.encode("latin-1"))
    answer = await client.read_all()
    client.leave()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'"code":"invalid_api_key"' in answer
    assert b"nobody-has-this-key" not in answer


async def test_the_key_of_an_organization_switched_off_opens_nothing(house: System, tenant: Tenant) -> None:
    await house.execute("update organization set active = false where id = $1", tenant.organization_id)
    async with house.client(tenant) as client:
        answer = await client.post(CHAT, json={"model": "gpt-4o-mini", "messages": MESSAGES})
    assert (answer.status_code, error_of(answer)["code"]) == (403, "organization_inactive")


async def test_an_expired_key_opens_nothing(house: System, tenant: Tenant) -> None:
    await house.execute("update api_key set expires_at = $2 where id = $1", tenant.key_id, datetime.now(UTC))
    async with house.client(tenant) as client:
        answer = await client.post(CHAT, json={"model": "gpt-4o-mini", "messages": MESSAGES})
    assert (answer.status_code, error_of(answer)["code"]) == (401, "invalid_api_key")


async def test_an_organization_without_a_plan_is_told_so(house: System, tenant: Tenant) -> None:
    await house.execute("delete from subscription where organization_id = $1", tenant.organization_id)
    async with house.client(tenant) as client:
        answer = await client.post(CHAT, json={"model": "gpt-4o-mini", "messages": MESSAGES})
    assert (answer.status_code, error_of(answer)["code"]) == (402, "no_active_plan")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("POST", "/v1/nothing", 404),
        ("POST", "/v1/chat/completions/", 404),
        ("POST", "/v1/../v1/secret", 404),
        ("GET", "/v1/models/%2e%2e", 404),
        ("POST", "/v1/edits", 404),
        ("DELETE", "/v1", 404),
        ("GET", "/v1/models/a/b", 404),
    ],
)
async def test_what_is_not_in_the_catalogue_is_refused(
    house: System, tenant: Tenant, method: str, path: str, status: int
) -> None:
    async with house.client(tenant) as client:
        answer = await client.request(method, path, json={"model": "gpt-4o-mini"})
    assert answer.status_code == status
    error_of(answer)


async def test_another_organizations_project_is_refused(house: System, tenant: Tenant) -> None:
    async with house.client(tenant) as client:
        answer = await client.post(
            CHAT,
            json={"model": "gpt-4o-mini", "messages": MESSAGES},
            headers={"OpenAI-Project": "proj_of_somebody_else"},
        )
    assert (answer.status_code, error_of(answer)["code"]) == (401, "mismatched_project")
    await nothing_charged(house, tenant)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.sampled_from(
    [
        "messages",
        "input",
        "prompt",
        "stream",
        "tools",
        "n",
        "max_tokens",
        "metadata",
        "stream_options",
        "user",
    ]
)


async def test_no_body_brings_a_server_error(house: System) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    found: list[tuple[str, dict[str, Any]]] = []

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        st.sampled_from(["chat/completions", "completions", "responses", "embeddings"]),
        st.dictionaries(MEMBERS, JSON),
    )
    def collect(path: str, members: dict[str, Any]) -> None:
        found.append((path, {"model": "gpt-4o-mini", **members}))

    collect()
    async with house.client(tenant) as client:
        answers = await asyncio.gather(*(client.post(f"/v1/{path}", json=body) for path, body in found))
    for (path, body), answer in zip(found, answers, strict=True):
        assert answer.status_code < 500, (path, body, answer.text)


def test_keys_are_hashed_with_a_secret() -> None:
    one, other = KeyHasher(b"one secret of ours"), KeyHasher(b"another secret of ours")
    made = one.make()
    assert one.digest(made.secret) == made.digest
    assert other.digest(made.secret) != made.digest
    assert made.secret.startswith(made.prefix)
    assert len(made.secret) > len(made.prefix) + 32
