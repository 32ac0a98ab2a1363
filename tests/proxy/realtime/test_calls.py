"""Calls whose sound goes past us: attended to over their sideband, charged turn by turn, and hung up."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from httpx import Response
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.proxy.realtime.provider import Provider, provided
from tests.proxy.realtime.stage import SECONDS, client, heard, usage
from tests.proxy.realtime.test_keys import DONE, SECRET, SECRETS, a_key, given
from tests.system import UPSTREAM_KEY, System, Tenant, prepare, system

CALLS = "/v1/realtime/calls"
SDP = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n"
ANSWER = b"v=0\r\ns=answer\r\n"
CREATED = {"type": "session.created", "session": {"id": "sess_1", "model": "gpt-realtime"}}
BEGUN = {"type": "response.created", "response": {"id": "resp_1", "usage": None}}
SPOKEN = {"type": "response.output_audio_transcript.delta", "response_id": "resp_1", "delta": "one two"}


def call_named(call: str, status: int = 201) -> tuple[int, dict[str, str], bytes]:
    return status, {"location": f"{CALLS}/{call}", "content-type": "application/sdp"}, ANSWER


@pytest.fixture
async def provider(theatre: System) -> AsyncIterator[Provider]:
    made = Provider(answers={CALLS: call_named("rtc_1")}, script=[CREATED])
    async with provided(theatre, made):
        yield made


async def offered(theatre: System, tenant: Tenant, **session: Any) -> Response:
    """A call, as OpenAI's SDK makes it."""
    session = {"type": "realtime", "model": "gpt-realtime", **session}
    files: Any = {
        "sdp": (None, SDP, "application/sdp"),
        "session": (None, json.dumps(session), "application/json"),
    }
    async with theatre.client(tenant) as caller:
        return await caller.post(CALLS, files=files)


async def joined(provider: Provider) -> None:
    await asyncio.wait_for(provider.joined.wait(), SECONDS)


async def hung_up(provider: Provider, call: str = "rtc_1") -> None:
    await asyncio.wait_for(provider.ended(call).wait(), SECONDS)


async def test_a_call_is_joined_and_charged_turn_by_turn(theatre: System, provider: Provider) -> None:
    tenant = await theatre.tenant(limits={"concurrent_requests": 1})
    provider.script = [
        CREATED,
        DONE,
        {"type": "response.done", "response": {"id": "resp_2", "usage": usage(9)}},
    ]
    answer = await offered(theatre, tenant)
    assert (answer.status_code, answer.content, answer.headers["location"]) == (
        201,
        ANSWER,
        f"{CALLS}/rtc_1",
    )
    [request] = provider.requests
    assert SDP in request.body
    rows = await theatre.records(tenant, 3)
    turns = [("/v1/realtime", 7), ("/v1/realtime", 9)]
    assert sorted((row["endpoint"], row["output_tokens"]) for row in rows) == [*turns, (CALLS, 0)]
    assert {row["model"] for row in rows} == {"gpt-realtime"}
    [sideband] = provider.sessions
    assert sideband.path == "/v1/realtime?call_id=rtc_1"
    assert sideband.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    provider.ended("rtc_1").set()
    await theatre.quiet()


async def test_an_offer_without_a_form_names_its_model_in_the_query(
    theatre: System, provider: Provider
) -> None:
    tenant = await theatre.tenant()
    async with theatre.client(tenant) as caller:
        headers = {"content-type": "application/sdp"}
        refused = await caller.post(f"{CALLS}?model=gpt-none", content=SDP, headers=headers)
        assert refused.json()["error"]["code"] == "model_not_priced"
        assert provider.requests == []
        answer = await caller.post(f"{CALLS}?model=gpt-realtime-mini", content=SDP, headers=headers)
        assert answer.status_code == 201
        await joined(provider)
        assert [request.body for request in provider.requests] == [SDP]
        await caller.post(f"{CALLS}/rtc_1/hangup")
    rows = await theatre.records(tenant, 2)
    assert {row["model"] for row in rows} == {"gpt-realtime-mini", ""}
    await theatre.quiet()


async def test_no_second_model_is_named_beside_the_one_that_is_paid(
    theatre: System, provider: Provider
) -> None:
    tenant = await theatre.tenant()
    async with theatre.client(tenant) as caller:
        session = {"type": "realtime", "model": "gpt-realtime-mini"}
        secret = await caller.post(f"{SECRETS}?model=gpt-realtime", json={"session": session})
        form: Any = {"sdp": (None, SDP), "session": (None, json.dumps(session))}
        call = await caller.post(f"{CALLS}?model=gpt-realtime", files=form)
        plain = await caller.post(
            f"{CALLS}?model=gpt-realtime-mini&model=gpt-realtime",
            content=SDP,
            headers={"content-type": "application/sdp"},
        )
        twice = {"model": "gpt-realtime", "session": session}
        nested = [
            await caller.post(path, json=twice)
            for path in (SECRETS, "/v1/realtime/sessions", f"{CALLS}/rtc_1/accept")
        ]
    assert nested.pop().status_code == 404
    for answer in (secret, call, plain, *nested):
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
    assert provider.requests == []


async def test_a_call_for_which_there_is_no_room_is_not_made(theatre: System, provider: Provider) -> None:
    tenant = await theatre.tenant(limits={"spend_per_month": "0.10"})
    answer = await offered(theatre, tenant)
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "insufficient_quota")
    assert provider.requests == []


async def test_a_call_is_hung_up_when_the_next_turn_finds_no_room(
    theatre: System, provider: Provider
) -> None:
    tenant = await theatre.tenant(limits={"requests_per_month": 3})
    provider.script, provider.later = (
        [CREATED, DONE],
        [{"type": "response.done", "response": {"id": "resp_2", "usage": usage(4)}}],
    )
    assert (await offered(theatre, tenant)).status_code == 201
    await joined(provider)
    await theatre.records(tenant, 2)
    assert not provider.ended("rtc_1").is_set()
    provider.wakes.set()
    await hung_up(provider)
    rows = await theatre.records(tenant, 3)
    assert sum(row["output_tokens"] for row in rows) == 11
    await theatre.quiet()


async def test_a_call_that_can_not_be_joined_is_hung_up(theatre: System, provider: Provider) -> None:
    provider.joins = False
    tenant = await theatre.tenant()
    assert (await offered(theatre, tenant)).status_code == 201
    await hung_up(provider)
    await theatre.records(tenant, 1)
    await theatre.quiet()


async def test_a_call_that_ends_in_mid_response_is_paid_as_far_as_it_was_heard(
    theatre: System, provider: Provider
) -> None:
    tenant = await theatre.tenant()
    provider.script = [CREATED, BEGUN, SPOKEN]
    await offered(theatre, tenant)
    await joined(provider)
    provider.ended("rtc_1").set()
    rows = await theatre.records(tenant, 2)
    assert (rows[1]["usage_source"], rows[1]["output_tokens"]) == ("tokenizer", 2)
    await theatre.quiet()


async def test_nobody_else_acts_on_a_call_or_listens_to_it(theatre: System, provider: Provider) -> None:
    mine, other = await theatre.tenant(), await theatre.tenant()
    await offered(theatre, mine)
    await joined(provider)
    asked = len(provider.requests)
    async with theatre.client(other) as caller:
        for action in ("accept", "reject", "refer", "hangup"):
            answer = await caller.post(f"{CALLS}/rtc_1/{action}", json={"type": "realtime"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    with pytest.raises(InvalidStatus) as refused:
        async with client(theatre, other, "call_id=rtc_1"):
            raise AssertionError
    assert refused.value.response.status_code == 404
    assert len(provider.requests) == asked
    assert len(provider.sessions) == 1
    async with theatre.client(mine) as caller:
        assert (await caller.post(f"{CALLS}/rtc_1/hangup")).status_code == 200
    await hung_up(provider)


async def test_an_ephemeral_key_opens_no_call_of_another_tenant(theatre: System, provider: Provider) -> None:
    provider.answers[SECRETS] = (200, {}, given(2_000_000_000))
    mine, other = await theatre.tenant(), await theatre.tenant()
    await offered(theatre, mine)
    await joined(provider)
    bearer = {"authorization": f"Bearer {await a_key(theatre, other)}"}
    with pytest.raises(InvalidStatus) as refused:
        async with client(theatre, None, "call_id=rtc_1", headers=bearer):
            raise AssertionError
    assert refused.value.response.status_code == 404
    assert len(provider.sessions) == 1
    provider.ended("rtc_1").set()


async def test_what_is_not_charged_is_nothing_but_a_look_at_the_call(
    theatre: System, provider: Provider
) -> None:
    tenant = await theatre.tenant()
    await offered(theatre, tenant)
    await joined(provider)
    for query in ("call_id=rtc_1&model=gpt-realtime", "call_id=rtc_1&intent=transcription"):
        with pytest.raises(InvalidStatus) as refused:
            async with client(theatre, tenant, query):
                raise AssertionError
        assert refused.value.response.status_code == 400
    async with client(theatre, tenant, "call%5Fid=rtc_1&deployment=gpt-realtime&x=1"):
        pass
    assert provider.sessions[-1].path == "/v1/realtime?call_id=rtc_1"
    provider.ended("rtc_1").set()


async def test_whose_call_it_is_may_listen_and_is_not_charged_twice(
    theatre: System, provider: Provider
) -> None:
    tenant = await theatre.tenant()
    await offered(theatre, tenant)
    await joined(provider)
    provider.script, provider.later = [], [CREATED, DONE]
    async with client(theatre, tenant, "call_id=rtc_1") as connection:
        provider.wakes.set()
        assert await heard(connection) == CREATED
        assert await heard(connection) == DONE
        provider.ended("rtc_1").set()
        with pytest.raises(ConnectionClosed):
            await heard(connection)
    rows = await theatre.records(tenant, 2)
    assert sum(row["output_tokens"] for row in rows) == 0
    await theatre.quiet()


async def test_a_call_is_attended_to_once_however_often_it_is_taken(
    theatre: System, provider: Provider
) -> None:
    provider.answers[f"{CALLS}/rtc_1/accept"] = (200, {}, b"")
    provider.later = [DONE]
    tenant = await theatre.tenant()
    await offered(theatre, tenant)
    await joined(provider)
    async with theatre.client(tenant) as caller:
        for _ in range(2):
            taken = await caller.post(
                f"{CALLS}/rtc_1/accept", json={"type": "realtime", "model": "gpt-realtime"}
            )
            assert taken.status_code == 200
    provider.wakes.set()
    rows = await theatre.records(tenant, 4)
    assert sum(row["output_tokens"] for row in rows) == 7
    assert len(provider.sessions) == 1
    provider.ended("rtc_1").set()
    await theatre.quiet()


async def test_a_browser_calls_by_its_ephemeral_key(theatre: System, provider: Provider) -> None:
    provider.answers[SECRETS] = (200, {}, given(2_000_000_000))
    tenant = await theatre.tenant()
    key = await a_key(theatre, tenant)
    provider.script = [CREATED, DONE]
    async with theatre.client(Tenant("", "", "", key)) as caller:
        headers = {"content-type": "application/sdp"}
        wrong = await caller.post(f"{CALLS}?model=gpt-realtime-mini", content=SDP, headers=headers)
        assert wrong.json()["error"]["code"] == "model_mismatch"
        form: Any = {"sdp": (None, SDP), "session": (None, b'{"model": "gpt-realtime-mini"}')}
        wrong = await caller.post(CALLS, files=form)
        assert wrong.json()["error"]["code"] == "model_mismatch"
        answer = await caller.post(CALLS, content=SDP, headers=headers)
    assert (answer.status_code, answer.content) == (201, ANSWER)
    call = next(request for request in provider.requests if request.path == CALLS)
    assert call.headers["authorization"] == f"Bearer {SECRET}"
    rows = await theatre.records(tenant, 3)
    assert [row["output_tokens"] for row in rows] == [0, 0, 7]
    assert {row["key_id"] for row in rows} == {tenant.key_id}
    provider.ended("rtc_1").set()


async def test_an_answer_that_names_no_call_does_not_pass(theatre: System, provider: Provider) -> None:
    provider.answers[CALLS] = (201, {}, ANSWER)
    tenant = await theatre.tenant()
    answer = await offered(theatre, tenant)
    assert answer.status_code == 502
    await theatre.records(tenant, 1)


async def test_what_the_upstream_refuses_is_no_call(theatre: System, provider: Provider) -> None:
    provider.answers[CALLS] = (400, {"content-type": "application/json"}, b'{"error": {"code": "x"}}')
    tenant = await theatre.tenant()
    answer = await offered(theatre, tenant)
    assert (answer.status_code, answer.content) == (400, b'{"error": {"code": "x"}}')
    await theatre.records(tenant, 1)
    assert provider.sessions == []


@pytest.fixture(scope="module")
def stage(postgres: Postgres, valkey: Valkey) -> Iterator[System]:
    name = "test_calls"
    asyncio.run(postgres.create_database(name))
    asyncio.run(prepare(postgres.url(name)))
    with system(
        postgres.url(name),
        valkey.url(16),
        TOLLKEEPER_SHUTDOWN_GRACE_SECONDS="3",
        TOLLKEEPER_HOLD_TTL_SECONDS="3",
    ) as made:
        made.start("drain")
        yield made


@pytest.fixture
def mortal(stage: System) -> Iterator[System]:
    stage.start("proxy")
    yield stage
    stage.stop("proxy")


async def test_calls_are_hung_up_when_the_server_stops(mortal: System) -> None:
    tenant = await mortal.tenant()
    made = Provider(answers={CALLS: call_named("rtc_1")}, script=[CREATED, BEGUN, SPOKEN])
    async with provided(mortal, made):
        await offered(mortal, tenant)
        await joined(made)
        await asyncio.get_running_loop().run_in_executor(None, mortal.stop, "proxy")
        await hung_up(made)
    rows = await mortal.records(tenant, 2)
    assert (rows[1]["outcome"], rows[1]["output_tokens"]) == ("stopped", 2)
    await mortal.quiet()


async def test_a_response_under_way_comes_to_its_end_before_its_call_is_hung_up(mortal: System) -> None:
    tenant = await mortal.tenant()
    made = Provider(answers={CALLS: call_named("rtc_1")}, script=[CREATED, BEGUN], later=[DONE])
    async with provided(mortal, made):
        await offered(mortal, tenant)
        await joined(made)
        stopping = asyncio.get_running_loop().run_in_executor(None, mortal.stop, "proxy")
        await asyncio.sleep(0.7)
        assert not made.ended("rtc_1").is_set()
        made.wakes.set()
        await hung_up(made)
        await stopping
    rows = await mortal.records(tenant, 2)
    assert (rows[1]["outcome"], rows[1]["output_tokens"]) == ("completed", 7)
    await mortal.quiet()


async def test_a_call_of_a_killed_proxy_is_hung_up_by_the_next(mortal: System) -> None:
    tenant = await mortal.tenant()
    made = Provider(answers={CALLS: call_named("rtc_2")}, script=[CREATED, BEGUN, SPOKEN])
    async with provided(mortal, made):
        await offered(mortal, tenant)
        await joined(made)
        mortal.kill("proxy")
        assert not made.ended("rtc_2").is_set()
        mortal.start("proxy")
        await hung_up(made, "rtc_2")
    rows = await mortal.records(tenant, 2)
    assert rows[1]["outcome"] == "expired"
    await mortal.quiet()
