"""How a session begins: identify -> hold -> connect -> accept. What is refused is answered over HTTP, before any
WebSocket is there."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import quote

import structlog

from ledger.ids import new_id
from ledger.usage_record import Outcome
from proxy.endpoints.asked import label_of
from proxy.errors import DEFECT, Refusal
from proxy.house import House
from proxy.identity.attribution import project_of
from proxy.identity.ephemeral import Pass, is_ephemeral
from proxy.identity.principal import Principal
from proxy.meter.realtime import FIRST_TRANSCRIBER
from proxy.offer import check_endpoint
from proxy.ownership.mentions import is_tuned
from proxy.realtime.caller import same_model
from proxy.realtime.handshake import Handshake, read
from proxy.realtime.seat import ENDPOINT, Seat, asking
from proxy.realtime.session import Session
from proxy.realtime.turns import Turns
from proxy.reckoning import CLIENT_GONE_STATUS
from proxy.relay.asgi import Receive, Scope, Send
from proxy.relay.head import our_headers
from proxy.relay.websocket import ClientSocket
from proxy.upstream.headers import response_headers
from proxy.upstream.request import Header
from proxy.upstream.route import refusal_for
from proxy.upstream.upstream import SocketRequest
from proxy.upstream.websocket import Refused, Socket, Unreachable

STOPPING: Final = "tollkeeper.stopping"
"""The extension of the ASGI scope in which the server says that it stops, by setting `event` (asyncio.Event)."""

_log = structlog.get_logger(__name__)


async def attend(house: House, scope: Scope, receive: Receive, send: Send) -> None:
    """Takes one WebSocket through the house. Never raises but for cancellation."""
    client = ClientSocket(scope, receive, send)
    await client.greet()
    request_id = new_id("req")
    try:
        wish = read(scope)
        session = await _open(house, wish, client, request_id)
    except Refusal as refused:
        house.measures.refused(refused.status, refused.code)
        await _refuse(client, refused, request_id)
        return
    except Exception:  # noqa: BLE001 - a defect of ours is answered like any error, and nothing is held
        _log.exception("a session could not be opened", request_id=request_id)
        await _refuse(client, DEFECT, request_id)
        return
    if session is not None:
        await session.run()


async def _refuse(client: ClientSocket, refusal: Refusal, request_id: str) -> None:
    with suppress(OSError):  # who is told may have left
        await client.refuse(refusal, [(b"x-request-id", request_id.encode())])


async def seat_of(house: House, wish: Handshake) -> Seat:
    """Who may sit where. Raises Refusal."""
    if wish.call and (wish.model or wish.transcribes):
        raise Refusal(400, "Name a model or a call, not both.", code="invalid_value", param="call_id")
    if is_ephemeral(wish.credential):
        return await _seat_of_pass(house, wish, house.seal.open(wish.credential))
    principal = await house.identities.resolve(wish.credential)
    project_id = project_of(principal, wish.headers)
    if wish.call:
        return await _seat_beside(house, wish, principal, project_id)
    model = wish.model or (FIRST_TRANSCRIBER if wish.transcribes else "")
    if not model:
        raise Refusal(400, "you must provide a model parameter", param="model")
    if is_tuned(model):
        await house.register.require(principal, project_id, {model})
    asked = asking(model, label_of(wish.headers))
    ways = house.route.ways(replace(asked, model=wish.model), None)
    return _checked(house, Seat(principal, project_id, asked, ways, house.prices, wish.transcribes))


async def _seat_of_pass(house: House, wish: Handshake, given: Pass) -> Seat:
    """By an ephemeral key: its model, at the upstream that gave it out."""
    same_model(given, wish.model)
    principal = await house.identities.again(given)
    if wish.call:
        return await _seat_beside(house, wish, principal, given.project_id)
    asked = asking(given.model, label_of(wish.headers))
    ways = house.route.ways(asked, given.upstream)
    seat = Seat(
        principal, given.project_id, asked, ways, house.prices, given.transcribing, secret=given.secret
    )
    return _checked(house, seat)


async def _seat_beside(house: House, wish: Handshake, principal: Principal, project_id: str | None) -> Seat:
    """Beside a call of the caller's own, which is attended to already: what it uses is charged there."""
    check_endpoint(ENDPOINT, principal)
    places = await house.register.require(principal, project_id, {wish.call})
    asked = asking("", label_of(wish.headers))
    ways = house.route.ways(asked, places[wish.call].upstream)
    return Seat(principal, project_id, asked, ways, house.prices, observes=True)


def _checked(house: House, seat: Seat) -> Seat:
    seat.check(seat.asked.model)
    return seat


async def _open(house: House, wish: Handshake, client: ClientSocket, request_id: str) -> Session | None:
    """The session with both sides connected; None for a client that left before. Raises Refusal."""
    seat = await seat_of(house, wish)
    turns = Turns(house, seat, request_id, lambda: client.sending_since)
    ticket, admitted = await turns.open()
    outcome: Outcome = "stopped"
    status = CLIENT_GONE_STATUS
    try:
        upstream = await _connect(house, wish, seat, client)
        if upstream is None:
            outcome = "client_gone"
            return None
        socket, turns.books.upstream = upstream
        try:
            headers = [*_passing(socket.headers), *our_headers(ticket, admitted)]
            await client.accept(socket.subprotocol, headers)
        except BaseException:
            socket.abort()
            raise
    except Refused as refused:
        outcome, status = "upstream_error", refused.status
        await client.answer(
            refused.status,
            [*response_headers(_without_framing(refused.headers)), *our_headers(ticket, admitted)],
            refused.body,
        )
        return None
    except Unreachable as unreachable:
        refusal = refusal_for(unreachable.failure)
        outcome, status = "upstream_error", refusal.status
        raise refusal from None
    else:
        outcome = "completed"
        stopping = client.scope["extensions"].get(STOPPING, {}).get("event") or asyncio.Event()
        return Session(client, socket, turns, stopping, house.last_turn_seconds)
    finally:
        if outcome != "completed":
            turns.end(outcome, status=status)


async def _connect(
    house: House, wish: Handshake, seat: Seat, client: ClientSocket
) -> tuple[Socket, str] | None:
    """None if the client leaves first. Raises Refused or Unreachable."""
    # Beside a call nothing is metered, so nothing may be read as the wish for a session of its own.
    query = b"call_id=" + quote(wish.call, safe="").encode() if seat.observes else wish.query
    request = SocketRequest(wish.path, query, wish.headers, wish.subprotocols, wish.model, seat.secret)
    opening = asyncio.ensure_future(house.route.open_socket(request, seat.ways))
    left = asyncio.ensure_future(client.left())
    try:
        await asyncio.wait((opening, left), return_when=asyncio.FIRST_COMPLETED)
        return None if left.done() else opening.result()
    finally:
        for task in (opening, left):
            task.cancel()
        await asyncio.wait((opening, left), timeout=1)
        if left.done() and not left.cancelled() and opening.done() and not opening.cancelled():
            _drop(opening)


def _drop(opening: "asyncio.Future[tuple[Socket, str]]") -> None:
    """What was opened for a client that is gone."""
    if opening.exception() is None:
        opening.result()[0].abort()


def _passing(headers: list[Header]) -> list[Header]:
    """Of the upstream's answer to the handshake; what makes it one is said anew to the client."""
    return [header for header in response_headers(headers) if not header[0].startswith(b"sec-websocket-")]


def _without_framing(headers: list[Header]) -> list[Header]:
    return [header for header in headers if header[0].lower() != b"content-length"]
