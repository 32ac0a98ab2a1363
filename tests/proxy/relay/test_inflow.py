"""The pieces of a body, given on demand by the one who owns the client's side."""

import asyncio
from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.relay.asgi import ClientGone
from proxy.relay.inflow import Inflow

LAST = {"type": "http.request", "body": b"last"}
GONE = {"type": "http.disconnect"}


def piece(body: bytes) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": True}


class Client:
    """Says its messages one by one when it is asked, and nothing after the last."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.asked = 0

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)


async def nothing(piece: bytes, last: bool) -> None:
    """Lets all pass."""


async def test_pieces_pass_on_demand_and_the_client_is_watched_afterwards() -> None:
    client = Client(piece(b"one"), piece(b"two"), LAST, GONE)
    seen: list[tuple[bytes, bool]] = []

    async def look(piece: bytes, last: bool) -> None:
        seen.append((piece, last))

    inflow = Inflow(client.receive, [(b"content-length", b"10")], 10, look)
    assert (inflow.length, client.asked) == (10, 0)
    assert (await anext(inflow), client.asked, inflow.passed) == (b"one", 1, 3)
    assert not inflow.gone.done()
    assert [piece async for piece in inflow] == [b"two", b"last"]
    assert inflow.passed == 10
    assert seen == [(b"one", False), (b"two", False), (b"last", True)]
    await asyncio.wait_for(inflow.gone, 5)


async def test_a_client_that_leaves_ends_the_body() -> None:
    inflow = Inflow(Client(piece(b"one"), GONE).receive, [], 10, nothing)
    assert inflow.length is None
    await anext(inflow)
    with pytest.raises(ClientGone):
        await anext(inflow)
    assert inflow.gone.done()
    assert inflow.refusal is None


async def test_more_than_may_pass_is_refused() -> None:
    inflow = Inflow(Client(piece(b"12345"), piece(b"6")).receive, [], 5, nothing)
    await anext(inflow)
    with pytest.raises(Refusal) as refused:
        await anext(inflow)
    assert inflow.refusal is refused.value
    assert (refused.value.status, inflow.passed) == (413, 5)


async def test_a_client_that_sends_nothing_is_not_waited_for() -> None:
    inflow = Inflow(Client().receive, [], 5, nothing, patience=0.01)
    with pytest.raises(Refusal) as refused:
        await anext(inflow)
    assert refused.value.status == 408


async def test_a_piece_that_may_not_pass_does_not() -> None:
    async def look(piece: bytes, last: bool) -> None:
        raise Refusal(404, "no")

    inflow = Inflow(Client(LAST).receive, [], 5, look)
    with pytest.raises(Refusal):
        await anext(inflow)
    assert inflow.passed == 0


async def test_a_defect_of_ours_is_told_as_one() -> None:
    async def look(piece: bytes, last: bool) -> None:
        raise KeyError("a bug")

    inflow = Inflow(Client(LAST).receive, [], 5, look)
    with pytest.raises(KeyError):
        await anext(inflow)
    assert inflow.refusal is not None
    assert inflow.refusal.status == 500


async def test_what_is_not_asked_for_any_more_is_dropped_until_the_client_leaves() -> None:
    client = Client(piece(b"one"), piece(b"two"), LAST, GONE)
    inflow = Inflow(client.receive, [], 3, nothing)
    await anext(inflow)
    inflow.rest()
    with pytest.raises(StopAsyncIteration):
        await anext(inflow)
    await asyncio.wait_for(inflow.gone, 5)
    assert (inflow.passed, client.messages) == (3, [])


async def test_a_body_that_was_never_asked_for_is_not_asked_for_at_the_end() -> None:
    client = Client(LAST)
    inflow = Inflow(client.receive, [], 5, nothing)
    inflow.rest()
    await asyncio.sleep(0)
    assert client.asked == 0


async def test_the_watch_ends_with_the_call() -> None:
    before = asyncio.all_tasks()
    inflow = Inflow(Client(LAST).receive, [], 5, nothing)
    await anext(inflow)
    [watch] = asyncio.all_tasks() - before
    inflow.gone.cancel()
    await asyncio.wait([watch], timeout=5)
    assert watch.cancelled()
