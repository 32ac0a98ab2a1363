"""How a session passes, is paid for and ends."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from redis.asyncio import Redis
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.proxy.realtime.stage import (
    SECONDS,
    answer_each,
    client,
    heard,
    respond,
    told,
    upstream,
    usage,
)
from tests.system import UPSTREAM_KEY, System, until


async def closing(connection: Any) -> ConnectionClosed:
    """What ends it, which is the next to come."""
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(connection.recv(), SECONDS)
    return closed.value


async def turn(connection: Any) -> dict[str, Any]:
    """Asks for a response and takes it; the last event."""
    await told(connection, "response.create")
    while (event := await heard(connection))["type"] not in ("response.done", "error"):
        pass
    return event


async def test_each_turn_is_a_call_and_a_session_counts_once_for_what_runs_at_once(theatre: System) -> None:
    tenant = await theatre.tenant(limits={"concurrent_requests": 1})
    async with upstream(theatre, answer_each), client(theatre, tenant) as connection:
        for _ in range(3):
            assert (await turn(connection))["type"] == "response.done"
    rows = await theatre.records(tenant, 3)
    assert [row["output_tokens"] for row in rows] == [5, 5, 5]
    assert len({row["request_id"] for row in rows}) == 3
    assert {(row["endpoint"], row["stream"], row["status"]) for row in rows} == {("/v1/realtime", True, 101)}
    await theatre.quiet()


async def test_a_session_in_which_nothing_happens_leaves_one_record_that_costs_nothing(
    theatre: System,
) -> None:
    tenant = await theatre.tenant()
    async with upstream(theatre, answer_each), client(theatre, tenant) as connection:
        assert (await heard(connection))["type"] == "session.created"
    [row] = await theatre.records(tenant, 1)
    assert (row["outcome"], row["input_tokens"], row["output_tokens"], row["price_nano"]) == (
        "completed",
        0,
        0,
        0,
    )
    await theatre.quiet()


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"requests_per_month": 3}, "insufficient_quota"), ({"requests_per_minute": 3}, "rate_limit_exceeded")],
)
async def test_a_session_ends_when_the_next_turn_finds_no_room(
    theatre: System, limits: dict[str, int], code: str
) -> None:
    tenant = await theatre.tenant(limits=limits)
    async with upstream(theatre, answer_each) as stage, client(theatre, tenant) as connection:
        for _ in range(3):
            assert (await turn(connection))["type"] == "response.done"
        error = await heard(connection)
        assert error["type"] == "error"
        assert error["error"]["code"] == code
        closed = await closing(connection)
        assert closed.rcvd is not None
        assert (closed.rcvd.code, closed.rcvd.reason) == (1008, code)
        await asyncio.wait_for(stage.done.wait(), SECONDS)
    assert stage.closed == [1000]
    await theatre.records(tenant, 3)
    await theatre.quiet()


async def test_money_is_passed_by_nothing(theatre: System) -> None:
    """A turn holds the fullest context; the session ends as soon as that does not fit any more."""
    limit = Decimal("1.40")
    tenant = await theatre.tenant(currency="USD", limits={"spend_per_month": str(limit)})

    async def play(connection: ServerConnection) -> None:
        async for _ in connection:
            await told(connection, "response.created", response={"id": f"resp_{id(_)}"})
            costly = usage(1000, spoken=1000)  # 0.064 dollars
            await told(connection, "response.done", response={"id": f"resp_{id(_)}", "usage": costly})

    turns = 0
    async with upstream(theatre, play), client(theatre, tenant) as connection:
        while (event := await turn(connection))["type"] == "response.done":
            turns += 1
        assert event["error"]["type"] == "insufficient_quota"
        await closing(connection)
    rows = await theatre.records(tenant, turns)
    spent = Decimal(sum(row["price_nano"] for row in rows)).scaleb(-9)
    held = Decimal("32000") * 32 / 10**6 + Decimal("4096") * 64 / 10**6
    assert limit - held < spent <= limit
    assert turns == 2
    await theatre.quiet()


async def test_what_does_not_fit_at_all_is_refused_before_there_is_a_socket(theatre: System) -> None:
    tenant = await theatre.tenant(limits={"spend_per_month": "0.10"})
    async with upstream(theatre, answer_each) as stage:
        with pytest.raises(InvalidStatus) as refused:
            async with client(theatre, tenant):
                raise AssertionError
    assert refused.value.response.status_code == 402
    error = json.loads(refused.value.response.body or b"")["error"]
    assert error["code"] == "insufficient_quota"
    assert stage.requests == []
    await theatre.quiet()


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, None),
        ("model=gpt-none", 402, "model_not_priced"),
        ("model=gpt-4o", 402, "model_not_priced"),
        ("model=gpt-realtime&model=o1", 400, "invalid_value"),
    ],
)
async def test_a_model_is_needed_that_the_plan_has(
    theatre: System, query: str, status: int, code: str | None
) -> None:
    tenant = await theatre.tenant()
    with pytest.raises(InvalidStatus) as refused:
        async with client(theatre, tenant, query):
            raise AssertionError
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["error"]["code"] == code


async def test_nobody_gets_in_without_a_key(theatre: System) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with client(theatre, None):
            raise AssertionError
    assert refused.value.response.status_code == 401


async def test_a_browser_brings_its_key_as_a_subprotocol_and_the_upstream_never_sees_it(
    theatre: System,
) -> None:
    tenant = await theatre.tenant()
    offered = [Subprotocol(each) for each in ("realtime", f"openai-insecure-api-key.{tenant.key}")]
    async with (
        upstream(theatre, answer_each, subprotocols=[Subprotocol("realtime")]) as stage,
        client(theatre, None, subprotocols=offered, headers={"openai-beta": "realtime=v1"}) as connection,
    ):
        assert connection.subprotocol == "realtime"
        assert (await turn(connection))["type"] == "response.done"
    [request] = stage.requests
    assert request.path == "/v1/realtime?model=gpt-realtime"
    assert request.headers["sec-websocket-protocol"] == "realtime"
    assert request.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert request.headers["openai-beta"] == "realtime=v1"
    assert tenant.key not in str(request.headers)
    await theatre.records(tenant, 1)


async def test_text_stays_text_and_bytes_stay_bytes_in_both_directions(theatre: System) -> None:
    tenant = await theatre.tenant()

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    messages: list[str | bytes] = ["é\u2028 {", b"\x00\xff\xfe", "", b"", "x" * 3_000_000]
    async with upstream(theatre, echo), client(theatre, tenant) as connection:
        for message in messages:
            await connection.send(message)
            assert await asyncio.wait_for(connection.recv(), SECONDS) == message
    await theatre.records(tenant, 1)


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4321])
async def test_a_closing_code_and_its_reason_pass_both_ways(theatre: System, code: int) -> None:
    tenant = await theatre.tenant()

    async def leave(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(code, "why not")

    async with upstream(theatre, leave), client(theatre, tenant) as connection:
        await told(connection, "input_audio_buffer.clear")
        closed = await closing(connection)
        assert closed.rcvd is not None
        assert (closed.rcvd.code, closed.rcvd.reason) == (code, "why not")
    async with upstream(theatre, answer_each) as stage:
        async with client(theatre, tenant) as connection:
            await heard(connection)
            await connection.close(code, "enough")
        await asyncio.wait_for(stage.done.wait(), SECONDS)
    assert stage.closed == [code]
    await theatre.records(tenant, 2)


async def test_a_client_that_vanishes_pays_for_what_it_got_and_its_upstream_is_closed(
    theatre: System,
) -> None:
    tenant = await theatre.tenant()

    async def speak(connection: ServerConnection) -> None:
        await connection.recv()
        await told(connection, "response.created", response={"id": "resp_1"})
        for _ in range(40):
            await told(connection, "response.output_text.delta", response_id="resp_1", delta=" word")

    async with upstream(theatre, speak) as stage, client(theatre, tenant) as connection:
        await told(connection, "response.create")
        for _ in range(41):
            await heard(connection)
        connection.transport.abort()
        await asyncio.wait_for(stage.done.wait(), SECONDS)
    [row] = await theatre.records(tenant, 1)
    assert (row["outcome"], row["usage_source"], row["output_tokens"]) == ("client_gone", "tokenizer", 40)
    assert row["price_nano"] > 0
    await theatre.quiet()


async def test_an_upstream_that_vanishes_in_mid_response_is_told_to_the_client_and_paid(
    theatre: System,
) -> None:
    tenant = await theatre.tenant()

    async def die(connection: ServerConnection) -> None:
        await connection.recv()
        await told(connection, "response.created", response={"id": "resp_1"})
        await told(connection, "response.output_text.delta", response_id="resp_1", delta="one two")
        await connection.recv()
        connection.transport.abort()

    async with upstream(theatre, die), client(theatre, tenant) as connection:
        await told(connection, "response.create")
        assert (await heard(connection))["type"] == "response.created"
        await heard(connection)
        await told(connection, "input_audio_buffer.clear")
        closed = await closing(connection)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1011
    [row] = await theatre.records(tenant, 1)
    assert (row["outcome"], row["usage_source"], row["output_tokens"]) == ("upstream_cut", "tokenizer", 2)
    await theatre.quiet()


async def test_a_response_that_reports_nothing_is_counted(theatre: System) -> None:
    tenant = await theatre.tenant()

    async def play(connection: ServerConnection) -> None:
        async for _ in connection:
            await told(connection, "response.created", response={"id": "resp_1"})
            await told(connection, "response.output_text.delta", response_id="resp_1", delta="one two three")
            await told(connection, "response.done", response={"id": "resp_1", "usage": None})

    async with upstream(theatre, play), client(theatre, tenant) as connection:
        await turn(connection)
    [row] = await theatre.records(tenant, 1)
    assert (row["usage_source"], row["output_tokens"]) == ("tokenizer", 3)


async def test_what_the_upstream_answers_to_the_handshake_reaches_the_client(theatre: System) -> None:
    tenant = await theatre.tenant()
    async with upstream(
        theatre, answer_each, answer=lambda connection, _: connection.respond(403, '{"error": {"code": "x"}}')
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with client(theatre, tenant):
                raise AssertionError
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"") == {"error": {"code": "x"}}
    [row] = await theatre.records(tenant, 1)
    assert (row["status"], row["outcome"], row["price_nano"]) == (403, "upstream_error", 0)
    await theatre.quiet()


async def test_where_there_is_no_upstream_the_client_is_told_so(theatre: System) -> None:
    tenant = await theatre.tenant()
    with pytest.raises(InvalidStatus) as refused:
        async with client(theatre, tenant):
            raise AssertionError
    assert refused.value.response.status_code == 502
    [row] = await theatre.records(tenant, 1)
    assert (row["status"], row["outcome"]) == (502, "upstream_error")


@pytest.mark.parametrize(
    ("session", "code"),
    [
        ({"audio": {"input": {"transcription": {"model": "none-transcribe"}}}}, "model_not_priced"),
        ({"input_audio_transcription": {"model": "gpt-4o-transcribe"}}, "model_not_allowed"),
    ],
)
async def test_a_transcriber_that_the_plan_has_not_is_refused_and_the_session_goes_on(
    theatre: System, session: dict[str, Any], code: str
) -> None:
    tenant = await theatre.tenant(models=["gpt-realtime*", "none-*"])
    async with upstream(theatre, answer_each), client(theatre, tenant) as connection:
        await heard(connection)
        await told(connection, "session.update", session=session)
        error = await heard(connection)
        assert (error["error"]["code"], error["error"]["event_id"]) == (code, "event_0")
        assert (await turn(connection))["type"] == "response.done"
    await theatre.records(tenant, 1)


async def test_a_transcriber_that_comes_about_otherwise_ends_the_session(theatre: System) -> None:
    tenant = await theatre.tenant(models=["gpt-realtime*"])

    async def play(connection: ServerConnection) -> None:
        session = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
        await told(connection, "session.created", session=session)

    async with upstream(theatre, play), client(theatre, tenant) as connection:
        assert (await heard(connection))["type"] == "session.created"
        assert (await heard(connection))["error"]["code"] == "model_not_allowed"
        assert (await closing(connection)).rcvd is not None


async def test_what_lies_with_another_tenant_can_not_be_brought_into_a_session(theatre: System) -> None:
    mine, other = await theatre.tenant(), await theatre.tenant()
    await theatre.own(mine, ["file-mine"])
    item = {"type": "message", "content": [{"type": "input_image", "file_id": "file-mine"}]}
    seen = []

    async def play(connection: ServerConnection) -> None:
        async for message in connection:
            seen.append(json.loads(message)["type"])
            await connection.send(message)

    async with upstream(theatre, play):
        async with client(theatre, other) as connection:
            await told(connection, "conversation.item.create", item=item)
            assert (await heard(connection))["error"]["code"] == "not_found"
        async with client(theatre, mine) as connection:
            await told(connection, "conversation.item.create", item=item)
            assert (await heard(connection))["type"] == "conversation.item.create"
    assert seen == ["conversation.item.create"]


async def test_responses_beside_each_other_are_each_held_and_each_charged(theatre: System) -> None:
    tenant = await theatre.tenant(limits={"concurrent_requests": 2})
    asked = 0

    async def play(connection: ServerConnection) -> None:
        nonlocal asked
        async for _ in connection:
            asked += 1
            await told(connection, "response.created", response={"id": f"resp_{asked}"})
            if asked == 2:
                break
        third = asyncio.ensure_future(connection.recv())
        with pytest.raises(TimeoutError):
            # The third wish has no hold, so it is not passed on.
            await asyncio.wait_for(third, 0.5)
        for number in (1, 2):
            await told(connection, "response.done", response={"id": f"resp_{number}", "usage": usage(7)})

    async with upstream(theatre, play), client(theatre, tenant) as connection:
        for _ in range(3):
            await told(connection, "response.create", response={"conversation": "none"})
        events = [await heard(connection) for _ in range(5)]
    kinds = [event["type"] for event in events]
    assert kinds.count("error") == 1
    assert next(e for e in events if e["type"] == "error")["error"]["code"] == "rate_limit_exceeded"
    rows = await theatre.records(tenant, 2)
    assert [row["output_tokens"] for row in rows] == [7, 7]
    await theatre.quiet()


async def test_a_session_whose_hold_was_swept_ends(theatre: System) -> None:
    tenant = await theatre.tenant()
    async with upstream(theatre, answer_each), client(theatre, tenant) as connection:
        await turn(connection)
        await theatre.records(tenant, 1)
        redis = Redis.from_url(theatre.redis_url)
        names = [key async for key in redis.scan_iter("*:hold:*") if await redis.type(key) == b"hash"]
        assert len(names) == 1
        # As the sweep leaves it, settled.
        await redis.set(names[0], "sweep", ex=60)
        [holds] = [key async for key in redis.scan_iter("*:holds")]
        await redis.delete(holds)
        await redis.aclose()
        closed = await closing(connection)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1001
    await theatre.records(tenant, 1)


async def test_an_idle_session_keeps_its_hold(theatre: System) -> None:
    tenant = await theatre.tenant()
    async with upstream(theatre, answer_each), client(theatre, tenant) as connection:
        await heard(connection)
        redis = Redis.from_url(theatre.redis_url)
        [holds] = [key async for key in redis.scan_iter("*:holds") if await redis.zcard(key)]
        [(member, expiry)] = await redis.zrange(holds, 0, -1, withscores=True)  # type: ignore[str-unpack]

        async def renewed() -> bool | None:
            now = await redis.zscore(holds, member)
            return True if float(now or 0) > float(expiry) + 3000 else None

        await until(renewed, "the hold to outlive its first life")
        await redis.aclose()
        assert (await turn(connection))["type"] == "response.done"
    await theatre.records(tenant, 1)


async def test_a_client_that_takes_nothing_holds_the_upstream_back(theatre: System) -> None:
    tenant = await theatre.tenant()
    piece, sent = "x" * 100_000, 0

    async def pour(connection: ServerConnection) -> None:
        nonlocal sent
        await connection.recv()
        try:
            async with asyncio.timeout(2):
                while True:
                    await connection.send(piece)
                    sent += len(piece)
        except TimeoutError:
            pass

    async with upstream(theatre, pour) as stage, client(theatre, tenant, max_queue=1) as connection:
        await told(connection, "input_audio_buffer.clear")
        async with asyncio.timeout(SECONDS):
            while not sent:
                await asyncio.sleep(0.01)
        await asyncio.sleep(2.5)
        stopped = sent
        assert stopped < 20_000_000
        received = 0
        while received < stopped:
            received += len(await asyncio.wait_for(connection.recv(), SECONDS))
        connection.transport.abort()
        await asyncio.wait_for(stage.done.wait(), SECONDS)
    await theatre.quiet()


async def test_transcriptions_are_recorded_by_their_own_model(theatre: System) -> None:
    tenant = await theatre.tenant()
    session = {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}
    written = {"type": "tokens", "input_tokens": 40, "output_tokens": 6, "total_tokens": 46}

    async def play(connection: ServerConnection) -> None:
        await connection.recv()
        await told(connection, "session.updated", session=session)
        kind = "conversation.item.input_audio_transcription.completed"
        await told(connection, kind, item_id="item_1", transcript="a b", usage=written)
        await respond(connection, "resp_1")

    async with upstream(theatre, play), client(theatre, tenant) as connection:
        await told(connection, "session.update", session=session)
        while (await heard(connection))["type"] != "response.done":
            pass
    rows = {row["model"]: row for row in await theatre.records(tenant, 2)}
    row = rows["gpt-4o-transcribe"]
    assert (row["input_tokens"], row["output_tokens"], row["price_ref"]) == (
        40,
        6,
        "openai/gpt-4o-transcribe@" + row["price_ref"].partition("@")[2],
    )
    assert rows["gpt-realtime"]["output_tokens"] == 5
    await theatre.quiet()


async def test_a_session_for_transcriptions_holds_and_pays_for_each(theatre: System) -> None:
    tenant = await theatre.tenant(limits={"requests_per_month": 2})
    kind = "conversation.item.input_audio_transcription.completed"

    async def play(connection: ServerConnection) -> None:
        for number in (1, 2):
            await connection.recv()
            used = {"type": "duration", "seconds": 30}
            await told(connection, kind, item_id=f"item_{number}", transcript="a", usage=used)

    async with upstream(theatre, play), client(theatre, tenant, "intent=transcription") as connection:
        for _ in range(2):
            await told(connection, "input_audio_buffer.commit")
            assert (await heard(connection))["type"] == kind
        assert (await heard(connection))["error"]["code"] == "insufficient_quota"
        assert (await closing(connection)).rcvd is not None
    rows = await theatre.records(tenant, 2)
    assert {(row["model"], json.loads(row["quantities"])["seconds"]) for row in rows} == {("whisper-1", 30)}
    assert all(row["price_nano"] > 0 for row in rows)
    await theatre.quiet()


async def test_a_session_keeps_its_model(theatre: System) -> None:
    tenant = await theatre.tenant()
    async with upstream(theatre, answer_each), client(theatre, tenant) as connection:
        await heard(connection)
        await told(connection, "session.update", session={"model": "gpt-4o-realtime-preview"})
        assert (await heard(connection))["error"]["code"] == "model_not_changeable"
        await told(connection, "session.update", session={"model": "gpt-realtime"})
        assert (await turn(connection))["type"] == "response.done"


async def test_a_session_whose_model_changes_all_the_same_ends(theatre: System) -> None:
    tenant = await theatre.tenant()

    async def play(connection: ServerConnection) -> None:
        for model in ("gpt-realtime-2025-08-28", "gpt-4o-realtime-preview"):
            await told(connection, "session.updated", session={"model": model})

    async with upstream(theatre, play), client(theatre, tenant) as connection:
        for _ in range(2):
            assert (await heard(connection))["type"] == "session.updated"
        assert (await heard(connection))["error"]["code"] == "model_not_changeable"
        assert (await closing(connection)).rcvd is not None


async def test_pings_are_answered_here_and_keep_both_sides_alive(theatre: System) -> None:
    tenant = await theatre.tenant()

    async def deaf(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with upstream(theatre, deaf), client(theatre, tenant) as connection:
        await asyncio.wait_for(await connection.ping(b"are you there"), SECONDS)
