"""The simulated OpenAI as an ASGI application: routes, keys, headers, and its own pages."""

import asyncio
import re
import time
from collections.abc import Callable
from secrets import token_hex
from urllib.parse import parse_qsl

import orjson
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from simulators.openai.account import Account
from simulators.openai.address import read_address
from simulators.openai.answers import Call, Route, Whole
from simulators.openai.books import KEPT_REQUESTS, Books, Entry, OpenEntry
from simulators.openai.catalogue import is_known
from simulators.openai.delivery import Delivery
from simulators.openai.endpoints import all_routes
from simulators.openai.errors import (
    ApiError,
    Headers,
    missing,
    no_key,
    requested_status,
    unknown_url,
    unreadable_body,
    wrong_key,
    wrong_method,
)
from simulators.openai.exchange import ClientGoneError, Exchange
from simulators.openai.fields import Fields, JsonObject, read_object
from simulators.openai.form import Form, read_form
from simulators.openai.keys import credential, is_expected
from simulators.openai.realtime_door import RealtimeDoor
from simulators.openai.replay import Recordings
from simulators.openai.switches import NONE, Switches, read_switches, split_model
from simulators.openai.vocabulary import Vocabularies

# A body above this is parsed and counted in a thread, so that paced streams keep their pace.
LARGE_BODY = 100_000

# What the real service sends with every answer. A proxy in front should keep most of it to itself.
_HEADERS: Headers = (
    (b"openai-organization", b"org-simulated"),
    (b"openai-project", b"proj_simulated"),
    (b"openai-version", b"2020-10-01"),
    (b"x-ratelimit-limit-requests", b"10000"),
    (b"x-ratelimit-limit-tokens", b"30000000"),
    (b"x-ratelimit-remaining-requests", b"9999"),
    (b"x-ratelimit-remaining-tokens", b"29999900"),
    (b"x-ratelimit-reset-requests", b"6ms"),
    (b"x-ratelimit-reset-tokens", b"0s"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains; preload"),
    (b"x-content-type-options", b"nosniff"),
    (b"server", b"cloudflare"),
    (b"cf-cache-status", b"DYNAMIC"),
    (b"set-cookie", b"__cf_bm=simulated; path=/; HttpOnly; Secure; SameSite=None"),
    (b"alt-svc", b'h3=":443"; ma=86400'),
)


class Simulator:
    """`api_key`: the only key that is let in, or None for any. `recordings`: answer by them alone."""

    def __init__(
        self,
        vocabularies: Vocabularies,
        *,
        seed: int = 0,
        api_key: str | None = None,
        recordings: Recordings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.books = Books()
        self._vocabularies = vocabularies
        self._seed = seed
        self._api_key = api_key
        self._recordings = recordings
        self._clock = clock
        self._account = Account()
        self._door = RealtimeDoor(self.books, self._account, vocabularies, seed, api_key)
        self._attempts: dict[str, int] = {}
        self._exact: dict[tuple[str, str], Route] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        for route in all_routes():
            self._exact[route.method, route.path] = route
            if "{" in route.path:
                pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route.path))
                self._patterns.append((re.compile(pattern), route))

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "websocket":
            await self._door.open(scope, receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"no {scope['type']} here")
        exchange = Exchange(scope, receive, send)
        try:
            if exchange.path == "/healthz" or exchange.path.startswith("/simulator/"):
                await self._own_page(exchange)
            else:
                await self._api(exchange)
        except ClientGoneError:
            return

    async def _own_page(self, exchange: Exchange) -> None:
        status, value = 200, {}
        self._account.settle(self._clock())
        match exchange.method, exchange.path:
            case "GET", "/healthz":
                value = {"status": "ok"}
            case "GET", "/simulator/books":
                wanted = dict(parse_qsl(exchange.query))
                if wanted.keys() <= {"request_id", "client_request_id", "model", "ended"}:
                    value = self.books.report(wanted)
                else:
                    status, value = 400, {"error": f"unknown filter among {', '.join(wanted)}"}
            case "POST", "/simulator/reset":
                self.books.reset()
            case _:
                status, value = 404, {"error": f"no page {exchange.method} {exchange.path}"}
        body = orjson.dumps(value)
        length = b"%d" % len(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await exchange.start(status, headers)
        await exchange.write(body, more=False)

    async def _api(self, exchange: Exchange) -> None:
        opened = self._open(exchange)
        began = time.monotonic()
        switches = NONE
        try:
            try:
                if self._recordings is not None:
                    await self._recordings.answer(exchange, opened, self._common_headers(opened, began)[:1])
                    return
                call, route = await self._call(exchange, opened)
                switches = call.switches
                status = self._status_asked(switches, opened)
                if status is not None:
                    request_id = opened.entry.request_id
                    raise requested_status(status, call.model, request_id, switches.retry_after)
                large = exchange.body_size > LARGE_BODY
                answer = await asyncio.to_thread(route.answer, call) if large else route.answer(call)
                headers = self._common_headers(opened, began)
                delivery = Delivery(exchange, opened, self.books, switches, headers)
                if isinstance(answer, Whole):
                    await delivery.whole(answer)
                else:
                    await delivery.stream(answer)
            except ApiError as error:
                headers = [*self._common_headers(opened, began), *error.headers]
                delivery = Delivery(exchange, opened, self.books, switches, headers)
                await delivery.whole(Whole(error.body, status=error.status))
        except ClientGoneError:
            opened.close("disconnected")
            raise
        finally:
            opened.close("error")  # whatever went wrong here is in the books too

    async def _call(self, exchange: Exchange, opened: OpenEntry) -> tuple[Call, Route]:
        form, members = await self._body(exchange)
        self._authorize(exchange)
        address = read_address(exchange.path, exchange.query)
        route, parameters = self._route(exchange.method, address.path)
        query = address.query
        fields = Fields(members)
        opened.entry.stream = members.get("stream") is True or query.get("stream") == "true"
        if exchange.method == "POST" and route.needs_model and exchange.body_size == 0:
            raise unreadable_body()
        name: str | None = parameters.get("model", "")
        if route.needs_model:
            name = fields.text("model") or address.deployment or route.default_model
        if name is None:
            raise missing("model")
        model, suffix = split_model(name)
        switches: Switches = read_switches(exchange.headers.get("x-sim"), suffix)
        if route.needs_model:
            if not is_known(model):
                raise route.unknown_model(model)
            opened.entry.model = model
        created = int(self._clock())
        now = self._clock()
        self._account.settle(now)
        call = Call(
            fields,
            model,
            switches,
            self._vocabularies,
            self._seed,
            created,
            parameters,
            query,
            self._account,
            opened.serve,
            form,
            now,
        )
        return call, route

    async def _body(self, exchange: Exchange) -> tuple[Form, JsonObject]:
        content_type = exchange.headers.get("content-type", "")
        if exchange.method == "POST" and content_type.startswith("multipart/form-data"):
            form = await read_form(exchange.chunks(), content_type)
            return form, form.members
        body = await exchange.body()
        if exchange.method != "POST" or (not body and exchange.headers.get("content-length", "0") == "0"):
            return Form(), {}
        if content_type.startswith("application/sdp"):
            return Form(), {"sdp": body.decode("utf-8", "replace")}
        large = exchange.body_size > LARGE_BODY
        return Form(), await asyncio.to_thread(read_object, body) if large else read_object(body)

    def _status_asked(self, switches: Switches, opened: OpenEntry) -> int | None:
        """`status`, which with `fail_first` is for the first attempts of a request only."""
        if not switches.fail_first:
            return switches.status
        name = opened.entry.client_request_id
        if name is None:
            raise ApiError(400, "Simulator: switch 'fail_first' needs a header x-client-request-id.")
        made = self._attempts.pop(name, 0)
        self._attempts[name] = made + 1
        while len(self._attempts) > KEPT_REQUESTS:
            del self._attempts[next(iter(self._attempts))]
        return (switches.status or 500) if made < switches.fail_first else None

    def _authorize(self, exchange: Exchange) -> None:
        if not credential(exchange.headers):
            raise no_key()
        if self._is_expected(exchange) is False:
            raise wrong_key()

    def _is_expected(self, exchange: Exchange) -> bool | None:
        return is_expected(exchange.headers, self._api_key)

    def _route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        route = self._exact.get((method, path))
        if route is not None:
            return route, {}
        allowed = any(path == known for _, known in self._exact)
        for pattern, candidate in self._patterns:
            if found := pattern.fullmatch(path):
                if candidate.method == method:
                    return candidate, found.groupdict()
                allowed = True
        raise wrong_method(method, path) if allowed else unknown_url(method, path)

    def _open(self, exchange: Exchange) -> OpenEntry:
        headers = exchange.headers
        return self.books.open(
            Entry(
                request_id="req_" + token_hex(16),
                client_request_id=headers.get("x-client-request-id") or headers.get("x-request-id"),
                method=exchange.method,
                endpoint=exchange.path,
                upstream_request_headers_seen=sorted(headers),
                authorization_expected=self._is_expected(exchange),
            )
        )

    def _common_headers(self, opened: OpenEntry, began: float) -> list[tuple[bytes, bytes]]:
        milliseconds = int((time.monotonic() - began) * 1000) + 1
        return [
            (b"x-request-id", opened.entry.request_id.encode()),
            (b"openai-processing-ms", b"%d" % milliseconds),
            *_HEADERS,
        ]
