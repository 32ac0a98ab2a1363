"""Requests on their way over several upstreams; every server is real, and says what it is told."""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from proxy.endpoints.asked import read, uploading
from proxy.endpoints.catalogue import find
from proxy.errors import Refusal
from proxy.upstream.failure import UpstreamFailure
from proxy.upstream.request import Streamed
from tests.proxy.upstream.raw_server import OK, Behaviour, Peer, RawServer, answering, saying_once
from tests.proxy.upstream.routes import Scene, made

Play = Callable[..., Awaitable[Scene]]


def error(status: int, *headers: str, body: str = "{}") -> bytes:
    lines = [f"HTTP/1.1 {status} Some Reason", f"content-length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def nowhere() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


@pytest.fixture
async def play() -> AsyncIterator[Play]:
    """Upstreams by name, in the order of their priority; None stands for one where nobody listens."""
    scenes: list[Scene] = []

    async def play(*, entries: dict[str, dict[str, Any]] | None = None, **upstreams: Any) -> Scene:
        limits = {name: upstreams.pop(name) for name in ("retries", "breaker", "chance") if name in upstreams}
        servers: dict[str, RawServer] = {}
        listed = []
        for rank, (name, behaviour) in enumerate(upstreams.items()):
            url = nowhere()
            if behaviour is not None:
                servers[name] = RawServer(behaviour)
                url = f"http://{(await servers[name].start()).authority.decode()}/v1"
            listed.append({"name": name, "base_url": url, "priority": rank, **(entries or {}).get(name, {})})
        scenes.append(made(listed, servers, **limits))
        return scenes[-1]

    yield play
    for scene in scenes:
        await scene.close()


async def test_the_next_answers_where_nobody_listens(play: Play) -> None:
    scene = await play(a=None, b=answering(OK))
    sent = scene.send()
    assert await sent.settled() == (200, "b")
    assert sent.events == ["response", "body", "end"]
    assert scene.counts.fallbacks == [("a", "b", "connect")]
    assert scene.counts.attempts == [("a", "connect"), ("b", "200")]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_the_next_answers_where_one_refuses(play: Play, status: int) -> None:
    scene = await play(a=answering(error(status)), b=answering(OK))
    sent = scene.send()
    assert await sent.settled() == (200, "b")
    assert sent.body == b"ok"
    assert scene.counts.fallbacks == [("a", "b", str(status))]


async def test_a_short_retry_after_is_waited_for_and_the_connection_kept(play: Play) -> None:
    scene = await play(a=answering(error(429, "retry-after-ms: 20"), OK), b=answering(OK))
    assert await scene.send().settled() == (200, "a")
    assert scene.counts.retries == [("a", "429")]
    assert scene.servers["a"].accepted == 1
    assert scene.servers["b"].accepted == 0


async def test_one_that_asked_to_be_left_alone_rests_for_that_model_only(play: Play) -> None:
    scene = await play(a=answering(error(429, "retry-after: 30"), OK), b=answering(OK))
    assert await scene.send().settled() == (200, "b")
    assert await scene.send().settled() == (200, "b")
    assert scene.counts.attempts == [("a", "429"), ("b", "200"), ("b", "200")]
    assert await scene.send({"model": "gpt-4o-mini"}).settled() == (200, "a")


async def test_the_last_error_is_passed_on_as_it_came(play: Play) -> None:
    scene = await play(
        a=answering(error(500, body='{"error":"a"}')),
        b=answering(error(429, "retry-after: 9", "x-own: 1", body='{"error": "b" }')),
    )
    sent = scene.send()
    assert await sent.settled() == (429, "b")
    assert sent.reason == b"Some Reason"
    assert (b"x-own", b"1") in sent.headers
    assert sent.body == b'{"error": "b" }'


async def test_an_answer_that_was_set_aside_is_better_than_none(play: Play) -> None:
    scene = await play(a=answering(error(503, body='{"error":"a"}')), b=None, retries={"attempts": 2})
    sent = scene.send()
    assert await sent.settled() == (503, "a")
    assert sent.body == b'{"error":"a"}'
    assert not sent.forwarding.may_cost


async def test_a_bad_request_is_nobodys_business_but_the_clients(play: Play) -> None:
    scene = await play(a=answering(error(400)), b=answering(OK))
    assert await scene.send().settled() == (400, "a")
    assert scene.counts.fallbacks == []


async def test_nothing_is_tried_again_after_the_first_byte(play: Play) -> None:
    scene = await play(a=saying_once(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal"), b=answering(OK))
    sent = scene.send()
    failure = await sent.failed()
    assert (failure.kind, failure.response_started) == ("reset", True)
    assert sent.body == b"hal"
    assert sent.forwarding.may_cost
    assert scene.servers["b"].accepted == 0


async def reset(peer: Peer) -> None:
    await peer.request()
    peer.reset()


async def test_a_call_that_may_have_been_worked_on_is_not_sent_twice(play: Play) -> None:
    scene = await play(a=reset, b=answering(OK))
    sent = scene.send()
    assert (await sent.failed()).sent
    assert sent.forwarding.may_cost
    assert scene.servers["a"].accepted == 1
    assert scene.servers["b"].accepted == 0


async def test_a_silent_upstream_is_not_asked_twice(play: Play) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    entries = {"a": {"timeouts": {"first_byte": 0.05}}}
    scene = await play(a=silent, b=answering(OK), entries=entries)
    assert (await scene.send().failed()).kind == "timeout_first_byte"
    assert scene.servers["b"].accepted == 0


async def test_a_read_that_broke_off_is_tried_again(play: Play) -> None:
    async def first_resets(peer: Peer) -> None:
        await (reset(peer) if peer.number == 1 else answering(OK)(peer))

    scene = await play(a=first_resets)
    assert await scene.send(path="/v1/models", method="GET").settled() == (200, "a")
    assert scene.counts.retries == [("a", "reset")]


async def test_attempts_are_bounded(play: Play) -> None:
    scene = await play(a=answering(error(503)), retries={"attempts": 2})
    assert await scene.send().settled() == (503, "a")
    assert scene.counts.attempts == [("a", "503")] * 2
    scene = await play(**{name: answering(error(503)) for name in "abcd"})
    assert await scene.send().settled() == (503, "c")


async def test_an_error_larger_than_is_kept_still_leaves_the_way_to_the_next(play: Play) -> None:
    scene = await play(a=answering(error(503, body="x" * 200_000)), b=answering(OK))
    assert await scene.send().settled() == (200, "b")


async def test_a_client_that_leaves_while_a_retry_waits_leaves_nothing_behind(play: Play) -> None:
    aside = asyncio.Event()

    async def half(peer: Peer) -> None:
        """A refusal whose body never ends."""
        await peer.request()
        await peer.say(error(429, "retry-after-ms: 100").replace(b"length: 2", b"length: 99"))
        aside.set()
        await peer.gone()

    scene = await play(a=half)
    sent = scene.send()
    await asyncio.wait_for(aside.wait(), 10)
    while not scene.counts.retries:
        await asyncio.sleep(0.001)
    assert not sent.forwarding.may_cost
    sent.forwarding.close()
    assert await asyncio.wait_for(scene.servers["a"].left.get(), 10) == 1
    await asyncio.sleep(0.2)  # past the moment for which the retry was set
    assert scene.servers["a"].accepted == 1
    assert sent.events == []


async def test_a_client_that_leaves_before_anything_was_sent_owes_nothing(play: Play) -> None:
    scene = await play(a=answering(OK))
    sent = scene.send()
    assert not sent.forwarding.may_cost
    sent.forwarding.close()


async def test_stopping_ends_a_request_that_waits_for_its_retry(play: Play) -> None:
    scene = await play(a=answering(error(503)))
    sent = scene.send()
    while not scene.counts.retries:
        await asyncio.sleep(0.001)
    await scene.route.close()
    failure = await sent.failed()
    assert failure == UpstreamFailure("connect", "the server is stopping", False, False)


async def test_the_breaker_opens_leaves_alone_probes_and_closes(play: Play) -> None:
    healthy = asyncio.Event()

    async def ailing(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.say(OK if healthy.is_set() else error(500))

    scene = await play(a=ailing, b=answering(OK), breaker={"failures": 2, "cool_down": 0.3})
    state = scene.counts.breakers["a"]
    for _ in range(2):
        assert await scene.send().settled() == (200, "b")
    assert state() == 2
    assert await scene.send().settled() == (200, "b")
    assert scene.counts.attempts.count(("a", "500")) == 2
    while state() == 2:
        await asyncio.sleep(0.01)
    assert await scene.send().settled() == (200, "b")  # the probe, which failed
    assert scene.counts.attempts.count(("a", "500")) == 3
    assert state() == 2
    healthy.set()
    while state() == 2:
        await asyncio.sleep(0.01)
    assert await scene.send().settled() == (200, "a")
    assert state() == 0


async def test_an_only_upstream_is_asked_even_while_its_breaker_is_open(play: Play) -> None:
    scene = await play(
        a=answering(error(500), OK), retries={"attempts": 1}, breaker={"failures": 1, "cool_down": 60}
    )
    assert await scene.send().settled() == (500, "a")
    assert scene.counts.breakers["a"]() == 2
    assert await scene.send().settled() == (200, "a")
    assert scene.counts.breakers["a"]() == 0


async def test_a_probe_whose_client_leaves_lets_the_next_one_try(play: Play) -> None:
    asked = asyncio.Event()

    async def behave(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.say(error(500))
        elif peer.number == 2:
            asked.set()
            await peer.gone()
        else:
            await peer.say(OK)

    scene = await play(a=behave, b=answering(OK), breaker={"failures": 1, "cool_down": 0.05})
    assert await scene.send().settled() == (200, "b")
    while scene.counts.breakers["a"]() == 2:
        await asyncio.sleep(0.01)
    probe = scene.send()
    await asyncio.wait_for(asked.wait(), 10)
    assert await scene.send().settled() == (200, "b")
    probe.forwarding.close()
    assert await scene.send().settled() == (200, "a")


async def test_weights_are_shares(play: Play) -> None:
    entries = {"a": {"weight": 3, "priority": 0}, "b": {"weight": 1, "priority": 0}}
    scene = await play(a=answering(OK), b=answering(OK), entries=entries, chance=random.Random(3).random)
    answered = Counter([(await scene.send().settled())[1] for _ in range(200)])
    assert 130 <= answered["a"] <= 170


async def test_what_refers_to_something_kept_goes_to_its_home_alone(play: Play) -> None:
    scene = await play(a=answering(error(503)), b=answering(OK), retries={"attempts": 2})
    assert await scene.send(path="/v1/responses/resp_1", method="GET").settled() == (503, "a")
    assert scene.counts.fallbacks == []


async def test_a_model_nobody_serves_is_not_found(play: Play) -> None:
    scene = await play(a=answering(OK), entries={"a": {"models": ["gpt-4o"]}})
    with pytest.raises(Refusal) as refused:
        scene.send({"model": "llama"})
    assert (refused.value.status, refused.value.code) == (404, "model_not_found")


def listening() -> tuple[list[tuple[bytes, bytes]], Behaviour]:
    heard: list[tuple[bytes, bytes]] = []

    async def behave(peer: Peer) -> None:
        while True:
            heard.append(await peer.request())
            await peer.say(OK)

    return heard, behave


async def test_a_form_goes_by_the_upstreams_own_names_too(play: Play) -> None:
    heard, behave = listening()
    scene = await play(only=behave, entries={"only": {"aliases": {"whisper-1": "ears"}}})
    part = b'--B\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    body = (
        part % (b"file", b'; filename="whisper-1"', b"whisper-1") + part % (b"model", b"", b"%b") + b"--B--"
    )
    sent = body % b"whisper-1"
    path, headers = "/v1/audio/transcriptions", [(b"content-type", b"multipart/form-data; boundary=B")]
    asked = read(find("POST", path).endpoint, sent, headers)
    await scene.start(asked, path, sent, headers=headers).settled()
    assert [got for _, got in heard] == [body % b"ears"]


@pytest.mark.parametrize("failing", [error(503, "retry-after: 0"), error(500), b""])
async def test_a_body_that_passes_as_it_comes_is_tried_once(play: Play, failing: bytes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    scene = await play(first=saying_once(failing), second=answering(OK))
    sent = scene.start(
        uploading(find("POST", "/v1/files").endpoint, None, []), "/v1/files", Streamed(pieces()), keeper=""
    )
    if failing:
        assert (await sent.settled())[0] >= 500
    else:
        assert (await sent.failed()).kind == "reset"
    assert len(scene.counts.attempts) == 1


async def test_each_upstream_is_called_by_its_own_names_and_keys(play: Play) -> None:
    at_azure, azure = listening()
    at_openai, openai = listening()
    entries = {
        "azure": {
            "kind": "azure", "api_version": "2024-10-21", "api_key_env": "KEY", "aliases": {"gpt-4o": "ours"},
        },
        "openai": {"kind": "openai", "api_key_env": "KEY", "headers": {"OpenAI-Project": "p1"}},
    }  # fmt: skip
    scene = await play(azure=azure, openai=openai, entries=entries)
    await scene.send({"n": 1}).settled()
    await scene.send({"model": "gpt-4o-mini"}).settled()
    [(head, body)] = at_azure
    assert head.startswith(
        b"POST /v1/openai/deployments/ours/chat/completions?api-version=2024-10-21 HTTP/1.1"
    )
    assert b"\r\napi-key: sk-upstream\r\n" in head
    assert b"authorization" not in head
    assert body == b'{"model":"ours","messages":[],"n":1}'
    [(head, body)] = at_openai
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1")
    assert b"\r\nauthorization: Bearer sk-upstream\r\n" in head
    assert b"\r\nopenai-project: p1\r\n" in head
    assert b"sk-tk-client" not in head
    assert body == b'{"model":"gpt-4o-mini","messages":[]}'
