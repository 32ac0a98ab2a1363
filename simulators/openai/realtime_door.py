"""Lets a WebSocket in as a Realtime session: its path, key and model, and its entry in the books."""

import asyncio
from secrets import token_hex

from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, WebSocketScope

from simulators.openai.account import Account
from simulators.openai.address import read_address
from simulators.openai.books import Books, Entry
from simulators.openai.catalogue import is_known
from simulators.openai.endpoints.realtime import CALLS, SECRETS, ended
from simulators.openai.errors import ApiError, no_key, unknown_model, unknown_url, wrong_key
from simulators.openai.keys import credential, is_expected
from simulators.openai.realtime import Session
from simulators.openai.switches import Switches, read_switches, split_model
from simulators.openai.vocabulary import Vocabularies

CALL_SILENCE = 2.0  # seconds until a call ends by itself
_KEY_PROTOCOL = "openai-insecure-api-key."


class RealtimeDoor:
    def __init__(
        self, books: Books, account: Account, vocabularies: Vocabularies, seed: int, api_key: str | None
    ) -> None:
        self._books = books
        self._account = account
        self._vocabularies = vocabularies
        self._seed = seed
        self._api_key = api_key

    async def open(self, scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        protocols = list(scope["subprotocols"])
        for protocol in protocols:  # how a browser, which cannot set headers, gives its key
            if protocol.startswith(_KEY_PROTOCOL):
                headers.setdefault("authorization", "Bearer " + protocol.removeprefix(_KEY_PROTOCOL))
        entry = Entry(
            request_id="req_" + token_hex(16),
            client_request_id=headers.get("x-client-request-id") or headers.get("x-request-id"),
            method="GET",
            endpoint=scope["path"],
            upstream_request_headers_seen=sorted(headers),
            authorization_expected=self._is_expected(headers),
            stream=True,
        )
        opened = self._books.open(entry)
        try:
            await receive()  # websocket.connect
            try:
                model, switches, call = self._read(scope, headers)
            except ApiError as error:
                entry.status = error.status
                await _refuse(send, error)
                return
            entry.model, entry.status = model, 101
            chosen = "realtime" if "realtime" in protocols else None
            request_id = (b"x-request-id", entry.request_id.encode())
            await send({"type": "websocket.accept", "subprotocol": chosen, "headers": [request_id]})
            vocabulary = self._vocabularies.of(model)
            session = Session(send, model, switches, vocabulary, self._seed, opened.serve)
            if call:
                await self._beside(call, session, receive, send)
            else:
                await session.run(receive)
            opened.close("complete")
        finally:
            opened.close("error")

    async def _beside(
        self, call: str, session: Session, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Until the call is over. Nobody speaks in it, so it ends soon after the last event."""
        talk = asyncio.ensure_future(session.run(receive, CALL_SILENCE))
        over = asyncio.ensure_future(ended(self._account, call).wait())
        await asyncio.wait((talk, over), return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if talk.cancel() or talk.exception() is not None:
            ended(self._account, call).set()
            await send({"type": "websocket.close", "code": 1000, "reason": ""})

    def _is_expected(self, headers: dict[str, str]) -> bool | None:
        given = self._account.shelf(SECRETS).find(credential(headers) or "")
        return is_expected(headers, self._api_key) if given is None else True

    def _read(self, scope: WebSocketScope, headers: dict[str, str]) -> tuple[str, Switches, str]:
        address = read_address(scope["path"], scope["query_string"].decode("ascii", "replace"))
        if address.path != "/v1/realtime":
            raise unknown_url("GET", address.path)
        if not credential(headers):
            raise no_key()
        if self._is_expected(headers) is False:
            raise wrong_key()
        if call := address.query.get("call_id", ""):
            self._account.shelf(CALLS).get(call)
        # A `+` in a query is a space.
        named = (address.query.get("model") or address.query.get("deployment") or "gpt-realtime").replace(
            " ", "+"
        )
        model, suffix = split_model(named)
        if not is_known(model):
            raise unknown_model(model)
        return model, read_switches(headers.get("x-sim"), suffix), call


async def _refuse(send: ASGISendCallable, error: ApiError) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": error.body, "more_body": False})
