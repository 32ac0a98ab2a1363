"""Browsers: pages of the origins that the setting names may call and read what they get, others may not."""

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest

from config.settings import SettingsError, load_settings
from tests.proxy.edge import BODY, CHAT, exchanged, parsed, upstream, written
from tests.system import System, Tenant, system
from tests.wire import WireClient

OURS, THEIRS = "https://app.example.com", "https://evil.example.com"
ASKED = "authorization,content-type,x-stainless-os"


@pytest.fixture(scope="module")
def edge(house: System) -> Iterator[System]:
    """Its upstream is played by the tests."""
    origins = {"TOLLKEEPER_CORS_ORIGINS": f"{OURS}, http://localhost:5173"}
    with system(house.database_url, house.redis_url, **origins) as made:
        made.start("proxy")
        yield made


@pytest.fixture
async def tenant(edge: System) -> Tenant:
    return await edge.tenant(unpriced_models="allow")


def preflight(origin: str, **more: str) -> dict[str, str]:
    return {"origin": origin, "access-control-request-method": "POST", **more}


async def options(plane: System, headers: dict[str, str], path: str = CHAT) -> httpx.Response:
    async with httpx.AsyncClient(base_url=plane.proxy_url) as client:
        return await client.options(path, headers=headers)


@pytest.mark.parametrize("path", [CHAT, "/v1/nothing", "/openai/deployments/a/chat/completions"])
async def test_a_page_that_may_call_is_told_so_before_it_has_shown_a_key(edge: System, path: str) -> None:
    answer = await options(edge, preflight(OURS) | {"access-control-request-headers": ASKED}, path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["access-control-allow-headers"] == ASKED
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "origin" in answer.headers["vary"]
    assert int(answer.headers["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        preflight(THEIRS),
        preflight("null"),
        preflight(OURS + ".evil.com"),
        preflight("http://app.example.com"),
        preflight(OURS + ":444"),
        {"origin": OURS},
        {"access-control-request-method": "POST"},
        {},
    ],
)
async def test_other_questions_are_a_plain_405(edge: System, headers: dict[str, str]) -> None:
    answer = await options(edge, headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_supported")
    assert "access-control-allow-methods" not in answer.headers
    if headers.get("origin") != OURS:
        assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "origin"


async def test_names_that_are_none_are_not_sent_back(edge: System) -> None:
    for names in ("a b", "a,,b", "x" * 5000, "<script>"):
        answer = await options(edge, preflight(OURS) | {"access-control-request-headers": names})
        assert answer.status_code == 204
        assert "access-control-allow-headers" not in answer.headers


async def test_without_the_setting_there_is_none_of_it(house: System) -> None:
    answer = await options(house, preflight(OURS))
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-") or name == "vary"]
    answer = await options(house, preflight(OURS), "/v1/nothing")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [(CHAT, "sk-tk-nobodys", 401), ("/v1/nothing", None, 404), ("/nothing", None, 404)],
)
async def test_errors_can_be_read_by_the_page(
    edge: System, tenant: Tenant, path: str, key: str | None, status: int
) -> None:
    async with edge.client(tenant) as client:
        if key:
            client.headers["authorization"] = f"Bearer {key}"
        mine = await client.post(path, json=BODY, headers={"origin": OURS})
        theirs = await client.post(path, json=BODY, headers={"origin": THEIRS})
    assert (mine.status_code, theirs.status_code) == (status, status)
    assert mine.headers["access-control-allow-origin"] == OURS
    assert "access-control-allow-origin" not in theirs.headers
    assert mine.headers["vary"] == theirs.headers["vary"] == "origin"


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_answers_can_be_read_by_the_page_and_the_upstreams_word_does_not_count(
    edge: System, tenant: Tenant, kind: str
) -> None:
    content = b'data: {"usage":null}\n\n' if kind.startswith("text") else b"{}"
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\naccess-control-allow-origin: *\r\nvary: accept\r\n"
        f"access-control-allow-credentials: true\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    body = json.dumps(BODY).encode()
    async with upstream(edge, head.encode() + content):
        client = await WireClient.connect(edge.proxy_url)
        more = f"origin: {OURS}\r\nconnection: close\r\n"
        client.writer.write(written(tenant, "POST", CHAT, body, more))
        answer = await client.read_all()
        client.leave()
        plain = await exchanged(edge, tenant, "POST", CHAT, body)
    assert answer.lower().count(b"access-control-allow-origin: ") == 1
    _, headers, _ = parsed(answer)
    assert headers["access-control-allow-origin"] == OURS
    assert "access-control-allow-credentials" not in headers
    assert {"x-request-id", "x-ratelimit-remaining-tokens", "x-tollkeeper-quota-remaining"} <= set(
        headers["access-control-expose-headers"].split(", ")
    )
    assert answer.count(b"vary: accept\r\n") == answer.count(b"vary: origin\r\n") == 1
    assert b"access-control-" not in plain


async def test_any_page_may_call_where_all_are_named(house: System) -> None:
    with system(house.database_url, house.redis_url, TOLLKEEPER_CORS_ORIGINS="*") as made:
        await asyncio.to_thread(made.start, "proxy")
        answer = await options(made, preflight(THEIRS))
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")
        async with httpx.AsyncClient(base_url=made.proxy_url) as client:
            answer = await client.get("/healthz", headers={"origin": THEIRS})
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "value",
    [
        "app.example.com",
        "https://a.example.com/",
        "https://a.example.com/path",
        "ftp://a",
        "https://",
        "null",
        "https://*.example.com",
    ],
)
def test_a_bad_origin_stops_the_start_and_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^TOLLKEEPER_CORS_ORIGINS"):
        load_settings({"TOLLKEEPER_CORS_ORIGINS": f"https://good.example.com, {value}"})
