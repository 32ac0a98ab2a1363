"""/v1/realtime over HTTP: client secrets, calls. The sessions themselves are WebSockets."""

from simulators.openai.account import new_id
from simulators.openai.answers import Answer, Call, Route, Whole, pretty

SECRET_LIFETIME = 600  # seconds
_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=simulated\r\nt=0 0\r\n"


def _client_secret(call: Call) -> Answer:
    wished = call.fields.object("session") or {}
    session = {
        "type": "realtime",
        "object": "realtime.session",
        "id": new_id("sess_"),
        "model": "gpt-realtime",
    }
    expires = call.created + SECRET_LIFETIME
    return Whole(pretty({"value": new_id("ek_"), "expires_at": expires, "session": session | wished}))


def _call(call: Call) -> Answer:
    call.fields.require("sdp")
    made = call.account.shelf("realtime.call").add({"id": new_id("rtc_")})
    place = f"/v1/realtime/calls/{made['id']}".encode()
    return Whole(_SDP.encode(), content_type="application/sdp", status=201, headers=[(b"location", place)])


def _acted(call: Call) -> Answer:
    call.account.shelf("realtime.call").get(call.parameters["id"])
    return Whole(b"")


_CALLS = "/v1/realtime/calls"
ROUTES = (
    Route("POST", "/v1/realtime/client_secrets", _client_secret, needs_model=False),
    Route("POST", _CALLS, _call, needs_model=False),
    *(
        Route("POST", f"{_CALLS}/{{id}}/{action}", _acted, needs_model=False)
        for action in ("accept", "hangup", "refer", "reject")
    ),
)
