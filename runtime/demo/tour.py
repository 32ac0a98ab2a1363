"""The steps of the tour, against a running proxy and console."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

MODEL = "gpt-4o-mini"
QUESTION = "In one sentence: why does a stream end with its usage?"
RECORD_SECONDS = 20.0
CALL_SECONDS = 60.0


class TourError(RuntimeError):
    """A step did not go as it should; one line."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, with which outcome; `request_id` leads to its usage record."""

    title: str
    outcome: str
    request_id: str
    milliseconds: float


class Tour:
    """`proxy` and `console` are clients with base address and credentials."""

    def __init__(self, proxy: httpx.AsyncClient, console: httpx.AsyncClient) -> None:
        self._proxy = proxy
        self._console = console

    async def call(self) -> Step:
        began = time.perf_counter()
        answer = await self._proxy.post("/v1/chat/completions", json=_request())
        body = _expect(answer, httpx.codes.OK)
        usage = body["usage"]
        outcome = f"{usage['prompt_tokens']} tokens in, {usage['completion_tokens']} out"
        return Step("a call", outcome, answer.headers["x-request-id"], _since(began))

    async def stream(self) -> Step:
        began, first, chunks = time.perf_counter(), 0.0, 0
        request = _request(stream=True)
        async with self._proxy.stream("POST", "/v1/chat/completions", json=request) as answer:
            if answer.status_code != httpx.codes.OK:
                await answer.aread()
                _expect(answer, httpx.codes.OK)
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    first = first or _since(began)
                    chunks += 1
        outcome = f"{chunks} chunks, the first after {first:.0f} ms"
        return Step("a stream", outcome, answer.headers["x-request-id"], _since(began))

    async def refusal(self) -> Step:
        """A key that allows one request a minute refuses the second."""
        organization = _expect(await self._proxy_organization(), httpx.codes.OK)["id"]
        made = _expect(
            await self._console.post(
                f"/api/admin/organizations/{organization}/keys",
                json={"name": "demo: one request a minute", "limits": {"requests_per_minute": 1}},
            ),
            httpx.codes.CREATED,
        )
        try:
            headers = {"authorization": f"Bearer {made['key']}"}
            began = time.perf_counter()
            for _ in range(2):
                answer = await self._proxy.post("/v1/chat/completions", json=_request(), headers=headers)
            error = _expect(answer, httpx.codes.TOO_MANY_REQUESTS)["error"]
            outcome = f"429 {error['code']}, again in {answer.headers['retry-after']} s"
            return Step("a refusal at the limit", outcome, answer.headers["x-request-id"], _since(began))
        finally:
            await self._console.delete(f"/api/admin/keys/{made['id']}")

    async def records(self, request_ids: set[str]) -> list[Mapping[str, Any]]:
        """The usage rows of these requests, once the drain has written them to Postgres."""
        organization = _expect(await self._proxy_organization(), httpx.codes.OK)["id"]
        parameters = {"organization": organization, "limit": "100"}
        deadline = time.monotonic() + RECORD_SECONDS
        while True:
            page = _expect(await self._console.get("/api/admin/usage", params=parameters), httpx.codes.OK)
            found = [row for row in page["data"] if row["request_id"] in request_ids]
            if {row["request_id"] for row in found} == request_ids:
                return found
            if time.monotonic() > deadline:
                raise TourError(
                    f"records did not reach Postgres in {RECORD_SECONDS:.0f} s; does the drain run?"
                )
            await asyncio.sleep(0.2)

    async def _proxy_organization(self) -> httpx.Response:
        """The organization of the demo key."""
        return await self._console.get(
            "/api/me/organization", headers={"authorization": self._proxy.headers["authorization"]}
        )


def _request(**more: Any) -> dict[str, Any]:
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_completion_tokens": 60,
        **more,
    }


def _expect(answer: httpx.Response, status: int) -> dict[str, Any]:
    if answer.status_code != status:
        raise TourError(f"{answer.request.url.path} answered {answer.status_code}: {answer.text[:300]}")
    body: dict[str, Any] = answer.json()
    return body


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
