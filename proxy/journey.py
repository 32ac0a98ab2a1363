"""The journey of one request: identify -> admit -> forward -> relay -> settle.

The life of the request (proxy/life.py) decides what follows from what; this file and `proxy/call.py` drive it.
"""

import asyncio
from time import monotonic
from typing import Final

import structlog

from ledger.ids import new_id
from proxy.call import Call
from proxy.endpoints import asked as body
from proxy.endpoints.catalogue import find
from proxy.endpoints.forms import content_type_of
from proxy.errors import DEFECT, Refusal
from proxy.house import House
from proxy.identity.attribution import project_of
from proxy.identity.credentials import bearer
from proxy.identity.principal import Principal
from proxy.life import Action, Life
from proxy.meter.form_scanner import is_form
from proxy.offering import Offering
from proxy.ownership.mentions import mentioned, mentioned_in_form
from proxy.ownership.passing import PassingForm
from proxy.ownership.register import keeper_of
from proxy.quota.admission import Refused
from proxy.quota.gate import LimitsUnknown
from proxy.quota.refusals import no_room_for_more, refusal
from proxy.realtime.caller import caller_of, for_call
from proxy.relay.asgi import (
    ClientGone,
    Headers,
    Receive,
    Scope,
    Send,
    closing,
    send_error,
)
from proxy.relay.body import check_length, read_body
from proxy.relay.client import client_of
from proxy.relay.inflow import Inflow
from proxy.ticket import Ticket
from proxy.upstream.alias import named

DEPLOYMENT: Final = "tollkeeper.deployment"
"""Where the ASGI scope holds the model that an Azure path names; empty, or absent, where none did."""

_log = structlog.get_logger(__name__)


async def travel(house: House, scope: Scope, receive: Receive, send: Send) -> None:
    """Takes one request through the house. Never raises but for cancellation."""
    request_id = new_id("req")
    try:
        call = await _admit(house, request_id, scope, receive, send)
    except ClientGone:
        return
    except Refusal as refused:
        await _refuse(house, request_id, refused, scope, send)
        return
    except Exception:  # noqa: BLE001 - a defect of ours is answered like any error, and nothing is held
        _log.exception("a request could not be admitted", request_id=request_id)
        await _refuse(house, request_id, DEFECT, scope, send)
        return
    await call.run()


async def _refuse(house: House, request_id: str, refused: Refusal, scope: Scope, send: Send) -> None:
    house.measures.refused(refused.status, refused.code)
    await send_error(send, refused, [(b"x-request-id", request_id.encode()), *closing(scope["headers"])])


async def _admit(house: House, request_id: str, scope: Scope, receive: Receive, send: Send) -> Call:
    """Everything before the hold, and the hold. Raises Refusal or ClientGone; nothing is held then."""
    started = monotonic()
    headers = scope["headers"]
    match = find(scope["method"], scope["raw_path"].decode("ascii"), house.allowed)
    scope["raw_path"] = match.path
    principal, given = await caller_of(house, match.endpoint, bearer(headers))
    project_id = project_of(principal, headers) if given is None else given.project_id
    inflow: Inflow | None = None
    if match.endpoint.takes == "upload" and is_form(content_type := content_type_of(headers)):
        inflow = await _inflow(house, principal, project_id, content_type, headers, receive)
        asked = body.uploading(match.endpoint, inflow.length, headers)
    else:
        content = await read_body(scope, receive, house.max_body_bytes)
        if deployment := scope.get(DEPLOYMENT):
            content = named(content, headers, deployment)
        asked = body.read(match.endpoint, content, headers)
    ids = mentioned(asked.body, asked.request) if asked.form is None else mentioned_in_form(asked.request)
    places = await house.register.require(principal, project_id, match.owned | ids)
    if match.endpoint.opens is not None:
        asked = for_call(asked, scope["query_string"], given)
    ways = house.route.ways(asked, keeper_of(places) if given is None else given.upstream)
    asked, offered = await Offering(house, principal, project_id, places, match.ids).of(asked)
    ticket = Ticket(
        request_id,
        principal,
        project_id,
        asked,
        offered,
        started,
        ways,
        principal.scopes(project_id),
        match.ids,
        given,
    )
    gone = client_of(scope).gone() if inflow is None else inflow.gone
    try:
        return await _hold(house, Life(), ticket, scope, gone, send, inflow)
    except BaseException:
        gone.cancel()
        raise


async def _inflow(
    house: House,
    principal: Principal,
    project_id: str | None,
    content_type: bytes,
    headers: Headers,
    receive: Receive,
) -> Inflow:
    """The body that has not been asked for yet."""
    await check_length(receive, headers, house.max_upload_bytes)
    form = PassingForm(content_type, lambda ids: house.register.require(principal, project_id, ids))
    return Inflow(receive, headers, house.max_upload_bytes, form.look)


async def _hold(
    house: House,
    life: Life,
    ticket: Ticket,
    scope: Scope,
    gone: asyncio.Future[None],
    send: Send,
    inflow: Inflow | None,
) -> Call:
    principal, offered = ticket.principal, ticket.offer
    try:
        verdict = await house.gate.admit(
            principal, ticket.scopes, ticket.request_id, offered.demand, ticket.draft()
        )
    except LimitsUnknown as unknown:
        actions = life.admission_unknown() if unknown.maybe_held else life.refused()
        if Action.RELEASE in actions:
            house.settler.release(ticket.hold())
        raise unknown.refusal() from None
    except asyncio.CancelledError:
        if Action.RELEASE in life.stopping():
            house.settler.release(ticket.hold())
        raise
    if isinstance(verdict, Refused):
        life.refused()
        raise refusal(verdict, principal.terms.tariff.currency)
    if inflow is not None and ticket.offer.demand.stores == -1 and verdict.stored:
        inflow.bound(verdict.stored, no_room_for_more(ticket.scopes[0], verdict.stored))
    return Call(house, life, ticket, verdict, scope, gone, send, inflow)
