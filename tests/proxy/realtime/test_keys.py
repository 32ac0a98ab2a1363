"""Ephemeral keys: ours leave, the upstream's stay, and each opens sessions for whom it was given to alone."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import Response
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from ledger import api_keys
from ledger.database import close_pool, open_pool, transaction
from tests.proxy.realtime.provider import Provider, provided
from tests.proxy.realtime.stage import client, heard, usage
from tests.system import System, Tenant

SECRETS = "/v1/realtime/client_secrets"
SECRET = "ek_of_the_upstream"
CREATED = {"type": "session.created", "session": {"id": "sess_1"}}
DONE = {"type": "response.done", "response": {"id": "resp_1", "usage": usage(7)}}
TRANSCRIPTION = {
    "type": "transcription",
    "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}},
}


def given(expires_at: int, *, spaced: bool = True) -> bytes:
    """As the service writes it: the key stands in it twice."""
    session = {"id": "sess_1", "client_secret": {"value": SECRET, "expires_at": expires_at}}
    written = {"value": SECRET, "expires_at": expires_at, "session": session}
    return json.dumps(written, indent=2 if spaced else None).encode()


@pytest.fixture
async def provider(theatre: System) -> AsyncIterator[Provider]:
    expires_at = int(time.time()) + 60
    made = Provider(script=[CREATED, DONE])
    made.answers = {
        SECRETS: (200, {"content-type": "application/json"}, given(expires_at)),
        "/v1/realtime/sessions": (200, {}, given(expires_at)),
        "/v1/realtime/transcription_sessions": (200, {}, given(expires_at)),
    }
    async with provided(theatre, made):
        yield made


async def asked(theatre: System, tenant: Tenant, path: str = SECRETS, **body: Any) -> Response:
    async with theatre.client(tenant) as caller:
        return await caller.post(path, json=body)


async def a_key(theatre: System, tenant: Tenant) -> str:
    answer = await asked(theatre, tenant, session={"type": "realtime", "model": "gpt-realtime"})
    assert answer.status_code == 200
    return str(answer.json()["value"])


def bearing(key: str) -> dict[str, dict[str, str]]:
    return {"headers": {"authorization": f"Bearer {key}"}}


async def refused(theatre: System, key: str, query: str = "") -> dict[str, Any]:
    with pytest.raises(InvalidStatus) as answer:
        async with client(theatre, None, query, **bearing(key)):
            raise AssertionError
    error: dict[str, Any] = json.loads(answer.value.response.body or b"")["error"]
    return error | {"status": answer.value.response.status_code}


@pytest.mark.parametrize("path", [SECRETS, "/v1/realtime/sessions", "/v1/realtime/transcription_sessions"])
async def test_the_key_of_the_upstream_never_leaves_and_all_else_does(
    theatre: System, provider: Provider, path: str
) -> None:
    tenant = await theatre.tenant()
    answer = await asked(theatre, tenant, path)
    ours = answer.json()["value"]
    assert ours.startswith("ek_")
    assert SECRET not in answer.text
    assert answer.text.replace(ours, SECRET).encode() == provider.answers[path][2]
    assert answer.json()["session"]["client_secret"]["value"] == ours
    [row] = await theatre.records(tenant, 1)
    assert (row["endpoint"], row["price_nano"], row["status"]) == (path, 0, 200)


async def test_a_key_opens_a_session_for_whom_it_was_given_to_with_the_secret_behind_it(
    theatre: System, provider: Provider
) -> None:
    tenant = await theatre.tenant()
    key = await a_key(theatre, tenant)
    offered = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{key}")]
    async with client(theatre, None, "", subprotocols=offered) as connection:
        assert await heard(connection) == CREATED
        assert await heard(connection) == DONE
    [session] = provider.sessions
    assert session.headers["authorization"] == f"Bearer {SECRET}"
    assert key not in str(session)
    rows = await theatre.records(tenant, 2)
    assert (rows[1]["key_id"], rows[1]["output_tokens"], rows[1]["model"]) == (
        tenant.key_id,
        7,
        "gpt-realtime",
    )
    await theatre.quiet()


async def test_a_key_for_transcriptions_opens_sessions_that_pay_for_those(
    theatre: System, provider: Provider
) -> None:
    tenant = await theatre.tenant()
    answer = await asked(theatre, tenant, session=TRANSCRIPTION)
    used = {"type": "tokens", "input_tokens": 40, "output_tokens": 6, "total_tokens": 46}
    kind = "conversation.item.input_audio_transcription.completed"
    provider.script = [
        {"type": "session.created", "session": TRANSCRIPTION},
        {"type": kind, "item_id": "item_1", "transcript": "a", "usage": used},
    ]
    async with client(theatre, None, "", **bearing(answer.json()["value"])) as connection:
        await heard(connection)
        await heard(connection)
    rows = await theatre.records(tenant, 2)
    assert (rows[1]["model"], rows[1]["input_tokens"]) == ("gpt-4o-transcribe", 40)


async def test_a_key_opens_nothing_but_sessions(theatre: System, provider: Provider) -> None:
    key = await a_key(theatre, await theatre.tenant())
    other = Tenant("", "", "", key)
    answer = await asked(theatre, other)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


async def test_a_key_that_somebody_changed_or_made_up_opens_nothing(
    theatre: System, provider: Provider
) -> None:
    key = await a_key(theatre, await theatre.tenant())
    changed = [key[:at] + ("A" if key[at] != "A" else "B") + key[at + 1 :] for at in (3, 40, len(key) - 5)]
    for each in (*changed, key[:-4], key + "AAAA", "ek_", "ek_é", SECRET, "ek_" + "A" * 5000):
        assert (await refused(theatre, each))["status"] == 401
    assert provider.sessions == []


async def test_a_key_expires_when_the_upstreams_does(theatre: System, provider: Provider) -> None:
    provider.answers[SECRETS] = (200, {}, given(int(time.time()) - 1))
    error = await refused(theatre, await a_key(theatre, await theatre.tenant()))
    assert (error["status"], error["code"]) == (401, "invalid_api_key")
    assert "expired" in error["message"]


async def test_a_key_is_for_its_own_model(theatre: System, provider: Provider) -> None:
    key = await a_key(theatre, await theatre.tenant())
    assert (await refused(theatre, key, "model=gpt-4o-realtime-preview"))["code"] == "model_mismatch"
    async with client(theatre, None, "model=gpt-realtime", **bearing(key)) as connection:
        await heard(connection)


async def test_whoever_is_revoked_has_no_ephemeral_keys_either_and_no_next_turn(
    theatre: System, provider: Provider
) -> None:
    tenant = await theatre.tenant()
    key = await a_key(theatre, tenant)
    provider.script, provider.later = [CREATED], [DONE, DONE]
    async with client(theatre, None, "", **bearing(key)) as connection:
        await heard(connection)
        await _revoke(theatre, tenant)
        async with asyncio.timeout(20):
            while (await asked(theatre, tenant)).status_code != 401:
                await asyncio.sleep(0.05)
        assert (await refused(theatre, key))["status"] == 401
        provider.wakes.set()
        assert await heard(connection) == DONE
        while (event := await heard(connection))["type"] != "error":
            pass
        assert event["error"]["code"] == "invalid_api_key"
    await theatre.quiet()


async def _revoke(theatre: System, tenant: Tenant) -> None:
    pool = await open_pool(theatre.database_url, size=1)
    try:
        async with transaction(pool) as connection:
            await api_keys.revoke(connection, "test", tenant.key_id, datetime.now(UTC))
    finally:
        await close_pool(pool)


async def test_an_inactive_organization_has_no_ephemeral_keys(theatre: System, provider: Provider) -> None:
    tenant = await theatre.tenant()
    key = await a_key(theatre, tenant)
    await theatre.execute("update organization set active = false where id = $1", tenant.organization_id)
    error = await refused(theatre, key)
    assert (error["status"], error["code"]) == (403, "organization_inactive")


@pytest.mark.parametrize(
    "answer",
    [b"{}", b"not JSON", b'{"value": 7, "expires_at": 1}', b'{"value": "ek_\\u0061", "expires_at": 1}'],
)
async def test_an_answer_whose_key_is_not_found_does_not_pass(
    theatre: System, provider: Provider, answer: bytes
) -> None:
    provider.answers[SECRETS] = (200, {}, answer)
    told = await asked(theatre, await theatre.tenant())
    assert told.status_code == 502
    assert "ek_" not in told.text


async def test_a_refusal_of_the_upstream_passes_as_it_is(theatre: System, provider: Provider) -> None:
    provider.answers[SECRETS] = (400, {"content-type": "application/json"}, b'{"error": {"code": "x"}}')
    told = await asked(theatre, await theatre.tenant())
    assert (told.status_code, told.content) == (400, b'{"error": {"code": "x"}}')


@pytest.mark.parametrize(
    ("session", "status", "code"),
    [
        ({"model": "gpt-4o-realtime-preview"}, 403, "model_not_allowed"),
        ({"model": "gpt-realtime-none-such"}, 402, "model_not_priced"),
        (TRANSCRIPTION, 403, "model_not_allowed"),
    ],
)
async def test_no_key_is_asked_for_a_model_that_the_plan_has_not(
    theatre: System, provider: Provider, session: dict[str, Any], status: int, code: str
) -> None:
    tenant = await theatre.tenant(models=["gpt-realtime*"])
    answer = await asked(theatre, tenant, session=session)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert provider.requests == []
