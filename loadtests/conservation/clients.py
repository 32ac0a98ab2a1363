"""Clients of every temper: they stream or don't, wait or leave, and keep books of what they saw."""

import asyncio
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import httpx

from loadtests.conservation.stage import Tenant

CHAT: Final = "/v1/chat/completions"
EMBEDDINGS: Final = "/v1/embeddings"
RESPONSES: Final = "/v1/responses"
MOST_OUTPUT: Final = 300
"""Tokens that every call of an answer holds for it."""
_REFUSED_SECONDS: Final = 0.1
_MODELS: Final = ("gpt-4o-mini", "gpt-4o", "gpt-4.1-mini")
_TROUBLES: Final = (
    "status=500",
    "status=429;retry_after=0",
    "status=503",
    "cut=3",
    "error_event=2",
    "delay=300",
)


@dataclass
class Seen:
    """One call as its client saw it. `label` names it everywhere. `tokens` are those of its usage, or None; `events`
    came of a stream. `asked` is how long an answer it asked for, in tokens; it `began` and ended (`at`) at these
    seconds of the monotonic clock."""

    label: str
    organization_id: str
    proxy: str
    began: float
    status: int | None = None
    complete: bool = False
    tokens: int | None = None
    events: int = 0
    asked: int = 0
    at: float = 0.0
    stream: bool = False


class Client:
    """Calls one after the other until told to stop."""

    def __init__(self, name: str, tenants: Sequence[Tenant], proxies: Sequence[str], seed: int) -> None:
        self.seen: list[Seen] = []
        self._name = name
        self._tenants = tenants
        self._proxies = proxies
        self._chance = random.Random(seed)

    async def run(self, stop: asyncio.Event) -> None:
        limits = httpx.Limits(max_connections=4)
        async with httpx.AsyncClient(timeout=60, limits=limits) as http:
            while not stop.is_set():
                tenant = self._chance.choice(self._tenants)
                seen = Seen(
                    f"{self._name}-{len(self.seen)}",
                    tenant.organization_id,
                    self._chance.choice(self._proxies),
                    time.monotonic(),
                )
                self.seen.append(seen)
                with suppress(httpx.HTTPError, TimeoutError):
                    await self._call(http, tenant, seen)
                seen.at = time.monotonic()

    async def _call(self, http: httpx.AsyncClient, tenant: Tenant, seen: Seen) -> None:
        chance = self._chance
        path, body = self._question()
        stream = body.get("stream") is True
        seen.asked, seen.stream = chance.choice((5, 20, 40, 250)), stream
        switches = [f"tokens={seen.asked}", f"pace={chance.choice((0, 0, 5, 15))}"]
        if chance.random() < 0.15:
            switches.append(chance.choice(_TROUBLES))
        request = http.build_request(
            "POST",
            seen.proxy + path,
            headers={
                "authorization": f"Bearer {tenant.key}",
                "x-tollkeeper-label": seen.label,
                "x-client-request-id": seen.label,
                "x-sim": ";".join(switches),
            },
            json=body,
        )
        leaves_after = chance.choice((None, None, None, 0.0, 0.05, 0.2))
        if stream:
            await self._stream(http, request, seen, chance.choice((None, None, 0, 2, 10)))
        else:
            async with asyncio.timeout(leaves_after):
                answer = await http.send(request)
            seen.status, seen.complete = answer.status_code, True
            seen.tokens = _tokens(answer.json()) if answer.status_code == 200 else None
        if seen.status == 429:
            await asyncio.sleep(_REFUSED_SECONDS)

    def _question(self) -> tuple[str, dict[str, Any]]:
        chance = self._chance
        words = " ".join(chance.choice(("toll", "keeper", "bridge", "river")) for _ in range(20))
        model, kind = chance.choice(_MODELS), chance.random()
        if kind < 0.1:
            return EMBEDDINGS, {"model": "text-embedding-3-small", "input": words}
        if kind < 0.25:
            return RESPONSES, {"model": model, "input": words, "max_output_tokens": MOST_OUTPUT}
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": words}],
            "max_tokens": MOST_OUTPUT,
            "stream": kind < 0.75,
        }
        if body["stream"] and chance.random() < 0.5:
            body["stream_options"] = {"include_usage": True}
        return CHAT, body

    async def _stream(
        self, http: httpx.AsyncClient, request: httpx.Request, seen: Seen, leaves_after: int | None
    ) -> None:
        answer = await http.send(request, stream=True)
        try:
            seen.status = answer.status_code
            async for line in answer.aiter_lines():
                if line == "data: [DONE]":
                    seen.complete = True
                elif line.startswith("data: ") and '"content":"' in line and '"content":""' not in line:
                    seen.events += 1
                if leaves_after is not None and seen.events >= leaves_after:
                    return
        finally:
            await answer.aclose()


def _tokens(answer: Mapping[str, Any]) -> int | None:
    usage = answer.get("usage")
    return usage["total_tokens"] if isinstance(usage, dict) else None


def clients(count: int, tenants: Sequence[Tenant], proxies: Sequence[str], seed: int) -> Iterator[Client]:
    for number in range(count):
        yield Client(f"c{number}", tenants, proxies, seed * 10_000 + number)
