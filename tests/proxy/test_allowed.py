"""Endpoints beside the catalogue: refused with a word on how to allow them, passed where an operator did."""

import json
import re
from collections.abc import Iterator

import pytest

from config.endpoints import is_closed, read_allowed
from proxy.endpoints.catalogue import find
from proxy.errors import Refusal
from tests.proxy.edge import exchanged, parsed, upstream
from tests.sdk_operations import Operation, operations
from tests.system import System, Tenant, system

SETTING = "TOLLKEEPER_ALLOW_ENDPOINTS"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
SENT = [operation for operation in operations() if operation.path]


def example(operation: Operation) -> str:
    return "/v1" + re.sub(r"\{\w+\}", "some_1", operation.path)


@pytest.mark.parametrize("operation", SENT, ids=lambda operation: operation.name)
def test_what_the_sdk_asks_for_is_known_or_refused_with_the_way_to_allow_it(operation: Operation) -> None:
    path = example(operation)
    refused = refusal_of(operation.method, path)
    if refused is None:
        return
    assert refused.status in (404, 405)
    assert (SETTING in refused.message) != is_closed(path)
    if is_closed(path):
        assert refusal_of(operation.method, path, "* /v1/*") is not None
    else:
        pattern = f"{operation.method} {path}" if refused.status == 405 else "* /v1/*"
        match = find(operation.method, path, [read_allowed(pattern)])
        assert (match.endpoint.takes, match.path) == ("anything", path.encode())


def refusal_of(method: str, path: str, *allowed: str) -> Refusal | None:
    try:
        find(method, path, [read_allowed(each) for each in allowed])
    except Refusal as refused:
        return refused
    return None


def test_the_accounts_own_endpoints_are_those_that_need_an_admin_key() -> None:
    closed = {operation.name for operation in SENT if is_closed(example(operation))}
    assert {operation.name for operation in SENT if operation.name.startswith("admin.")} <= closed
    assert not {
        name for name in closed if not name.startswith(("admin.", "webhooks.", "safety.", "fine_tuning."))
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions/"),
        ("POST", "/v1/Chat/Completions"),
        ("POST", "/v1/CHAT/COMPLETIONS"),
        ("POST", "/V1/skills"),
        ("POST", "/v1//skills"),
        ("POST", "/v1/skills/.."),
        ("POST", "/v1/skills/%2e%2e/organization"),
        ("POST", "/v1/skills%2F..%2Forganization"),
        ("POST", "/v1/organization;a=b/users"),
        ("POST", "/v1/%6frganization/users"),
        ("POST", "/v1/organization."),
        ("POST", "/v1/skills%00"),
        ("POST", "/v1/skills\\a"),
        ("POST", "/v1/skills%252Fa"),
        ("OPTIONS", "/v1/skills"),
        ("TRACE", "/v1/skills"),
    ],
)
def test_a_pattern_for_everything_lets_no_disguise_pass(method: str, path: str) -> None:
    with pytest.raises(Refusal) as refused:
        find(method, path, [read_allowed("* /v1/*")])
    assert refused.value.status == 404


def test_the_catalogue_goes_first() -> None:
    match = find("POST", "/v1/chat/completions", [read_allowed("* /v1/*")])
    assert match.endpoint.costs
    with pytest.raises(Refusal) as refused:
        find("PUT", "/v1/chat/completions", [read_allowed("* /v1/*")])
    assert refused.value.status == 405


@pytest.fixture(scope="module")
def edge(house: System) -> Iterator[System]:
    allowed = {SETTING: "* /v1/skills*, POST /v1/decisions"}
    with system(house.database_url, house.redis_url, **allowed) as made:
        made.start("proxy")
        yield made


@pytest.fixture
async def tenant(edge: System) -> Tenant:
    return await edge.tenant(limits={"requests_per_minute": 3})


@pytest.mark.parametrize("body", [b'{"name":  "a"}', b"--b\r\nnot JSON", b""])
async def test_what_is_allowed_passes_as_it_is_and_is_recorded_with_nothing_used(
    edge: System, tenant: Tenant, body: bytes
) -> None:
    async with upstream(edge, OK) as server:
        status, _, content = parsed(await exchanged(edge, tenant, "POST", "/v1/skills/a?b=%20c", body))
        [head] = server.heads
    assert (status, content) == (200, b"{}")
    assert head.startswith(b"POST /v1/skills/a?b=%20c HTTP/1.1\r\n")
    assert b"content-length: %d\r\n" % len(body) in head
    assert tenant.key.encode() not in head
    [row] = await edge.records(tenant, 1)
    assert (row["endpoint"], row["status"], row["outcome"]) == ("/v1/skills*", 200, "completed")
    assert (row["input_tokens"], row["output_tokens"], row["price_nano"]) == (0, 0, 0)
    assert (row["request_bytes"], row["response_bytes"]) == (len(body), 2)


async def test_limits_of_requests_hold_for_it(edge: System, tenant: Tenant) -> None:
    async with upstream(edge, OK) as server:
        statuses = [parsed(await exchanged(edge, tenant, "GET", "/v1/skills"))[0] for _ in range(4)]
        assert len(server.heads) == 3
    assert statuses == [200, 200, 200, 429]


async def test_what_it_names_in_json_is_the_callers_own(edge: System, tenant: Tenant) -> None:
    stranger = await edge.tenant()
    await edge.own(stranger, [f"file-{stranger.organization_id}"])
    body = json.dumps({"file_id": f"file-{stranger.organization_id}"}).encode()
    async with upstream(edge, OK) as server:
        status, _, _ = parsed(await exchanged(edge, tenant, "POST", "/v1/skills", body))
        assert server.heads == []
    assert status == 404


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [("GET", "/v1/decisions", True), ("POST", "/v1/organization/users", False), ("POST", "/v1/vaults", True)],
)
async def test_what_is_not_allowed_says_how_it_would_be(
    edge: System, tenant: Tenant, method: str, path: str, told: bool
) -> None:
    status, _, body = parsed(await exchanged(edge, tenant, method, path))
    assert status == 404
    assert (SETTING in json.loads(body)["error"]["message"]) == told
