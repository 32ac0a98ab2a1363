"""One proxy after the other is replaced while clients go on: no call fails, and each is recorded once."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.system import System, Tenant, beside

CHAT = "/v1/chat/completions"
CLIENTS = 12


@pytest.fixture
def pair(house: System) -> Iterator[list[System]]:
    """Two proxies of one data plane, each on a port of its own."""
    with beside(house) as one, beside(house) as two:
        one.start("proxy")
        two.start("proxy")
        yield [one, two]


class Client:
    """Goes to the other proxy where one does not take its call, as a load balancer would."""

    def __init__(self, pair: list[System], tenant: Tenant, first: int) -> None:
        self._clients = [each.client(tenant) for each in pair]
        self._turn = first
        self.outcomes: Counter[str] = Counter()

    async def call(self, *, stream: bool) -> None:
        model = "gpt-4o-mini+pace=20;tokens=20" if stream else "gpt-4o-mini+delay=50;tokens=5"
        body = {"model": model, "messages": [{"role": "user", "content": "Go on"}], "stream": stream}
        for _ in range(20):
            try:
                answer = await self._clients[self._turn % 2].post(CHAT, json=body)
            except (
                httpx.ConnectError,
                httpx.RemoteProtocolError,
                httpx.ReadError,
                httpx.WriteError,
            ) as error:
                # Of a call that was taken an answer has begun or comes; a stream that breaks off is none of these.
                if "incomplete" in str(error):
                    self.outcomes["cut"] += 1
                    return
                self._turn += 1
                continue
            whole = not stream or answer.text.endswith("data: [DONE]\n\n")
            self.outcomes["whole" if answer.status_code == 200 and whole else f"{answer.status_code}"] += 1
            return
        self.outcomes["refused everywhere"] += 1

    async def close(self) -> None:
        for each in self._clients:
            await each.aclose()


async def test_a_rolling_restart_under_load_fails_no_call_and_records_each_once(
    house: System, pair: list[System]
) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    clients = [Client(pair, tenant, number) for number in range(CLIENTS)]
    done = asyncio.Event()

    async def go_on(client: Client) -> None:
        for number in itertools.count():
            if done.is_set():
                return
            await client.call(stream=number % 3 == 0)

    load = [asyncio.create_task(go_on(client)) for client in clients]
    for proxy in pair:
        await asyncio.sleep(0.5)
        await asyncio.to_thread(proxy.stop, "proxy")
        await asyncio.sleep(0.2)
        await asyncio.to_thread(proxy.start, "proxy")
    await asyncio.sleep(0.5)
    done.set()
    await asyncio.gather(*load)
    outcomes = sum((client.outcomes for client in clients), Counter())
    for client in clients:
        await client.close()
    assert set(outcomes) == {"whole"}
    assert outcomes["whole"] > 100
    rows = await house.records(tenant, outcomes["whole"])
    assert {row["outcome"] for row in rows} == {"completed"}
    await house.quiet()
