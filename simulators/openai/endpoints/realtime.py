"""/v1/realtime over HTTP: client secrets, calls. The sessions themselves are WebSockets."""

import asyncio

from simulators.openai.account import Account, new_id
from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.fields import JsonObject

CALLS, SECRETS = "realtime.call", "realtime.secret"
SECRET_LIFETIME = 600  # seconds
_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=simulated\r\nt=0 0\r\n"


def _client_secret(call: Call) -> Answer:
    session = _session(call.fields.object("session") or {})
    return Whole(pretty({**_secret(call), "session": session}))


def _beta_session(call: Call) -> Answer:
    return Whole(pretty(_session(call.fields.members) | {"client_secret": _secret(call)}))


def _session(wished: JsonObject) -> JsonObject:
    session = {
        "type": "realtime",
        "object": "realtime.session",
        "id": new_id("sess_"),
        "model": "gpt-realtime",
    }
    return session | wished


def _secret(call: Call) -> JsonObject:
    """A key that opens sessions alone."""
    secret = call.account.shelf(SECRETS).add({"id": new_id("ek_")})
    return {"value": secret["id"], "expires_at": call.created + SECRET_LIFETIME}


def _call(call: Call) -> Answer:
    call.fields.require("sdp")
    made = call.account.shelf(CALLS).add({"id": new_id("rtc_")})
    place = f"/v1/realtime/calls/{made['id']}".encode()
    return Whole(_SDP.encode(), content_type="application/sdp", status=201, headers=[(b"location", place)])


def _acted(call: Call) -> Answer:
    call.account.shelf(CALLS).get(call.parameters["id"])
    return Whole(b"")


def _ended(call: Call) -> Answer:
    identifier = call.parameters["id"]
    call.account.shelf(CALLS).get(identifier)
    ended(call.account, identifier).set()
    return Whole(b"")


def ended(account: Account, call: str) -> asyncio.Event:
    """Set when the call is over."""
    event: asyncio.Event = account.notes[call].setdefault("ended", asyncio.Event())
    return event


_CALLS = "/v1/realtime/calls"
ROUTES = (
    Route("POST", "/v1/realtime/client_secrets", _client_secret, needs_model=False),
    Route("POST", "/v1/realtime/sessions", _beta_session, needs_model=False),
    Route("POST", "/v1/realtime/transcription_sessions", _beta_session, needs_model=False),
    Route("POST", _CALLS, _call, needs_model=False),
    *(
        Route("POST", f"{_CALLS}/{{id}}/{action}", acted, needs_model=False)
        for action, acted in (("accept", _acted), ("hangup", _ended), ("refer", _acted), ("reject", _ended))
    ),
)
