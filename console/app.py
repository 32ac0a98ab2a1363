"""The console as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import orjson
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from billing_worker.invoicing.office import office
from config.settings import Settings, SettingsError
from console import docs, health
from console.answers import send_answer
from console.auth import Door
from console.call import Operation, Services
from console.endpoint import Endpoint
from console.errors import method_not_allowed, not_found
from console.measures import Measures
from console.openapi import document
from console.operations import OPERATIONS
from console.reconciled import reconciled
from ledger.archive.usage import ArchivedUsage
from ledger.database import close_pool, open_pool
from ledger.keys import KeyHasher
from proxy.identity.directory import Directory
from proxy.identity.identities import trust_of
from proxy.pipeline import RedisPipeline, RedisUnavailable

VERSION = "1"
REDIS_SECONDS = 0.5
CLOSE_SECONDS = 2.0


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> Starlette:
    """The application; it opens its connections when it starts. Raises SettingsError for what it cannot do without."""
    database_url = _needed(settings.stores.database_url, "DATABASE_URL")
    redis_url = _needed(settings.stores.redis_url, "REDIS_URL")
    hasher = KeyHasher(_needed(settings.secrets.key_secret, "TOLLKEEPER_KEY_SECRET").encode())
    door = Door(_needed(settings.secrets.admin_token, "TOLLKEEPER_ADMIN_TOKEN"))
    measures = Measures()
    archive = ArchivedUsage.of(settings.archive)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        pool = await open_pool(database_url, name="tollkeeper console")
        redis = RedisPipeline(redis_url, timeout=REDIS_SECONDS, connect_timeout=REDIS_SECONDS)
        with suppress(RedisUnavailable):
            await redis.connect()
        trust = trust_of(settings, clock)
        opened = AsyncExitStack()
        clerk = await opened.enter_async_context(office(pool, settings))
        services = Services(pool, redis, hasher, clock, Directory(pool, hasher, clock), clerk, trust, archive)
        refreshing = None if trust is None else asyncio.create_task(trust.keep_fresh())
        try:
            yield {"services": services}
        finally:
            if refreshing is not None:
                refreshing.cancel()
                await asyncio.wait([refreshing], timeout=CLOSE_SECONDS)
            if trust is not None:
                await trust.close()
            await opened.aclose()
            await redis.close()
            await close_pool(pool)

    app = Starlette(
        routes=[*_routes(door, measures), *_documents(), *_machinery(measures)],
        lifespan=lifespan,
        exception_handlers={HTTPException: _wrong_method},
    )
    app.router.redirect_slashes = False
    app.router.default = _nothing_here
    return app


def _needed(value: SecretStr | None, name: str) -> str:
    if value is None:
        raise SettingsError(f"{name}: the console needs it")
    return value.get_secret_value()


def _routes(door: Door, measures: Measures) -> list[Route]:
    def path(operation: Operation[Any, Any]) -> str:
        return operation.path

    def place(operation: Operation[Any, Any]) -> str:
        # `{id}.pdf` before `{id}`, which would take it.
        return f"{operation.path}\x7f"

    return [
        Route(path_, Endpoint(list(operations), door, measures))
        for path_, operations in groupby(sorted(OPERATIONS, key=place), key=path)
    ]


def _documents() -> list[Route]:
    described = document(OPERATIONS, VERSION)
    as_json, as_html = orjson.dumps(described), docs.page(described)

    async def openapi(_: Request) -> Response:
        return Response(as_json, media_type="application/json")

    async def readable(_: Request) -> Response:
        headers = {
            "content-security-policy": docs.CONTENT_SECURITY_POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }
        return Response(as_html, media_type="text/html", headers=headers)

    return [Route("/api/openapi.json", openapi), Route("/api/docs", readable)]


def _machinery(measures: Measures) -> list[Route]:
    async def metrics(request: Request) -> Response:
        measures.reconciled(await reconciled(request.state.services))
        measures.dead_letters(await health.open_dead_letters(request.state.services))
        return Response(measures.text(), media_type="text/plain; version=0.0.4")

    return [
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
        Route("/metrics", metrics),
    ]


async def _wrong_method(request: Request, _: Exception) -> Response:
    # The only HTTPException that Starlette's routing raises here: the routes that are plain functions only read.
    refusal = method_not_allowed(request.method, ["GET"])
    headers = {name.decode(): value.decode() for name, value in refusal.headers}
    return Response(refusal.body(), refusal.status, headers, media_type="application/json")


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        refusal = not_found(scope["path"])
        await send_answer(send, refusal.status, refusal.body(), refusal.headers)
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
