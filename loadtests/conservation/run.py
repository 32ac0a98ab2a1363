"""One run: clients call while things go wrong; then it grows quiet and is judged."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loadtests.conservation.books import (
    UpstreamBooks,
    counters_of,
    ledger_of,
    until_drained,
    until_quiet,
    until_swept,
)
from loadtests.conservation.clients import Client, Seen, clients
from loadtests.conservation.invoiced import invoiced
from loadtests.conservation.schedule import Fault, schedule
from loadtests.conservation.stage import HOLD_SECONDS, Loss, Stage, Tenant, cut_connections, stage
from loadtests.conservation.verdict import Verdict, by_outcome, judge

_TOKENS_PER_SECOND: Final = 200
"""The fastest paced stream of the clients, one token every 5 ms; unpaced ones are over before a renewal."""
LOST_BOUND: Final = 250
"""Tokens that a killed proxy's call may lack: all of the longest answer, which takes less than a third of a hold."""


@dataclass(frozen=True)
class Wish:
    seed: int
    seconds: float
    clients: int
    proxies: int
    every: float
    """Seconds between faults, about."""


@dataclass(frozen=True)
class Outcome:
    verdict: Verdict
    faults: Sequence[Fault]
    outcomes: dict[str, int]

    @property
    def figure(self) -> str:
        told = self.verdict
        return (
            f"requests {told.calls}, records {told.recorded}, faults {len(self.faults)}, tokens served "
            f"{told.served_tokens}, recorded {told.recorded_tokens}; exact {told.exact}, broken off {told.broken_off} "
            f"({told.on_the_way_tokens} tokens on the way), of killed proxies {told.killed} (at most {told.most_lost} "
            f"tokens lost, bound {LOST_BOUND}), lost with redis' data {told.lost} ({told.lost_tokens} tokens); "
            f"differences {len(told.differences)}"
        )

    def write(self, path: Path, wish: Wish) -> None:
        """The seed, the history of faults, and what was found."""
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {
            "wish": asdict(wish),
            "faults": self.faults,
            "outcomes": self.outcomes,
            **asdict(self.verdict),
        }
        path.write_text(json.dumps(told, indent=1))


def run(wish: Wish) -> Outcome:
    with stage(wish.proxies) as made:
        return asyncio.run(_run(made, wish))


async def _run(made: Stage, wish: Wish) -> Outcome:
    tenants = [
        await made.tenant(0),
        await made.tenant(1, tokens_per_month=4_000),
        await made.tenant(2, requests_per_minute=40),
        await made.tenant(3, concurrent_requests=4),
    ]
    faults = list(schedule(wish.seed, wish.seconds, wish.every))
    callers = list(clients(wish.clients, tenants, made.proxies, wish.seed))
    books = UpstreamBooks(made.upstream)
    stop, over = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(books.keep(over))
        running = [tasks.create_task(client.run(stop)) for client in callers]
        await _break(made, tenants, faults, wish.seconds)
        stop.set()
        await asyncio.wait(running)
        await until_quiet(made)
        over.set()
    await books.read()
    rows, dead = await ledger_of(made)
    verdict = judge(
        _seen(callers),
        books.by_label(),
        rows,
        await counters_of(made, tenants),
        tenants,
        lost_bound=LOST_BOUND,
        losses=made.losses,
    )
    if dead:
        verdict.wrong(f"{dead} records could not be stored")
    for difference in await invoiced(made.database_url, datetime.now(UTC)):
        verdict.wrong(difference)
    return Outcome(verdict, faults, by_outcome(rows))


def _seen(callers: Sequence[Client]) -> list[Seen]:
    return [call for client in callers for call in client.seen]


async def _break(made: Stage, tenants: Sequence[Tenant], faults: Sequence[Fault], seconds: float) -> None:
    began = time.monotonic()
    for fault in faults:
        await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
        await _one(made, tenants, fault)
    await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))


async def _one(made: Stage, tenants: Sequence[Tenant], fault: Fault) -> None:
    match fault.kind:
        case "kill_proxy":
            await _kill(made, f"proxy{fault.which % len(made.proxies)}")
        case "kill_drain" | "kill_worker":
            await _kill(made, fault.kind.removeprefix("kill_"))
        case "restart_redis" | "restart_postgres":
            await _kill(made, fault.kind.removeprefix("restart_"), fault.lasts)
        case "cut_redis":
            await cut_connections(made, fault.lasts)
        case "wipe_redis":
            # What a proxy that was killed before had under way, only its holds tell.
            await until_swept(made)
            await _kill(made, "redis", fault.lasts, forget=True)
        case "wipe_redis_and_kill_proxy":
            await until_swept(made)
            await until_drained(made)
            number = fault.which % len(made.proxies)
            made.losses.append(Loss(made.proxies[number], time.monotonic()))
            made.kill(f"proxy{number}")
            await _kill(made, "redis", fault.lasts, forget=True)
            await made.start_again(f"proxy{number}")
        case "freeze_redis" | "freeze_postgres":
            name = fault.kind.removeprefix("freeze_")
            made.freeze(name)
            await asyncio.sleep(fault.lasts)
            made.thaw(name)
        case "change_plan":
            await made.change_plan(tenants[0], limits={"tokens_per_minute": 10**6 + fault.which})


async def _kill(made: Stage, name: str, after: float = 0.0, *, forget: bool = False) -> None:
    """kill -9, and a new start by who watches over it."""
    made.kill(name)
    await asyncio.sleep(after)
    if forget:
        made.forget()
    await made.start_again(name)


assert HOLD_SECONDS / 3 * _TOKENS_PER_SECOND >= LOST_BOUND
