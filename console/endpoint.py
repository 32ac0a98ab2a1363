"""One path of the API: finds the operation, lets the caller in, reads the inputs, answers."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from pydantic import TypeAdapter
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from console.answers import send_answer
from console.auth import Door
from console.call import Call, Nothing, Operation, Services
from console.errors import fault, method_not_allowed, not_found, refusal_of
from console.file import File
from console.inputs import ClientGoneError, read_body, read_query
from console.measures import Measures
from ledger.ids import new_id
from proxy.errors import Refusal, unavailable

SECONDS = 30.0

_JSON = b"application/json"

log = logging.getLogger(__name__)


class Endpoint:
    """The ASGI application behind one path. The lifespan's state holds the services."""

    def __init__(self, operations: Sequence[Operation[Any, Any]], door: Door, measures: Measures) -> None:
        self._operations: dict[str, Operation[Any, Any]] = {
            operation.method: operation for operation in operations
        }
        self._writers: dict[str, TypeAdapter[Any]] = {
            operation.method: TypeAdapter(operation.answer) for operation in operations
        }
        self._path = operations[0].path
        self._door = door
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        request_id = new_id("req")
        try:
            status, body, headers, kind = await self._answer(scope, receive, request_id)
        except ClientGoneError:
            return
        headers.append((b"x-request-id", request_id.encode()))
        self._measures.answered(scope["method"], self._path, status, perf_counter() - began)
        await send_answer(send, status, body, headers, kind)

    async def _answer(
        self, scope: Scope, receive: Receive, request_id: str
    ) -> tuple[int, bytes, list[tuple[bytes, bytes]], bytes]:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        operation = self._operations.get(method)
        if operation is None:
            refusal = method_not_allowed(method, sorted(self._operations))
            return refusal.status, refusal.body(), list(refusal.headers), _JSON
        try:
            async with asyncio.timeout(SECONDS):
                result = await self._carry_out(operation, scope, receive)
            if isinstance(result, File):
                return operation.status, result.content, result.headers, result.media_type.encode()
            body = self._writers[method].dump_json(result, by_alias=True)
        except ClientGoneError:
            raise
        except TimeoutError:
            refusal = unavailable("the answer took too long; try again soon", "timeout")
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the client gets an answer without it
            refusal = self._refusal(error, request_id)
        else:
            return operation.status, body, [], _JSON
        return refusal.status, refusal.body(), list(refusal.headers), _JSON

    def _refusal(self, error: Exception, request_id: str) -> Refusal:
        refusal = refusal_of(error)
        if refusal is None:
            log.error("request %s failed at %s", request_id, self._path, exc_info=error)
            return fault()
        if refusal.status >= 500:
            log.warning("request %s was refused at %s: %s", request_id, self._path, error)
        return refusal

    async def _carry_out(self, operation: Operation[Any, Any], scope: Scope, receive: Receive) -> Any:
        headers = Headers(scope=scope)
        services: Services = scope["state"]["services"]
        actor, holder = await self._door.enter(operation.access, headers, services)
        ids: Mapping[str, str] = scope.get("path_params", {})
        if not all(identifier.isprintable() for identifier in ids.values()):
            raise not_found(scope["path"])
        query = read_query(scope["query_string"], operation.query)
        body = Nothing() if operation.method == "GET" else await read_body(headers, receive, operation.body)
        call = Call(services, actor, ids, body, query, services.clock(), holder)
        return await operation.handler(call)
