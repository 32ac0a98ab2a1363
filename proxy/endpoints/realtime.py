"""Realtime over HTTP: ephemeral keys, and calls whose sound goes past us. The sessions themselves are WebSockets."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from proxy.endpoints.endpoint import Endpoint
from proxy.meter.realtime import FIRST_TRANSCRIBER, transcriber_of

DEFAULT_MODEL: Final = "gpt-realtime"
_CALLS = "/v1/realtime/calls"
_CALL = "/v1/realtime/calls/{call}"

ENDPOINTS = (
    Endpoint(
        "realtime.client_secrets",
        "POST",
        "/v1/realtime/client_secrets",
        default_model=DEFAULT_MODEL,
        opens="key",
    ),
    Endpoint("realtime.sessions", "POST", "/v1/realtime/sessions", default_model=DEFAULT_MODEL, opens="key"),
    Endpoint(
        "realtime.transcription_sessions",
        "POST",
        "/v1/realtime/transcription_sessions",
        default_model=FIRST_TRANSCRIBER,
        opens="key",
    ),
    Endpoint("realtime.calls", "POST", _CALLS, takes="form", default_model=DEFAULT_MODEL, opens="call"),
    Endpoint("realtime.calls.accept", "POST", _CALL + "/accept", default_model=DEFAULT_MODEL, opens="call"),
    Endpoint("realtime.calls.reject", "POST", _CALL + "/reject"),
    Endpoint("realtime.calls.refer", "POST", _CALL + "/refer"),
    Endpoint("realtime.calls.hangup", "POST", _CALL + "/hangup"),
)


def session_of(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of a session that a request brings: a member of it, maybe as JSON in a form, or all of it."""
    session = request.get("session")
    if isinstance(session, str):
        try:
            session = orjson.loads(session)
        except orjson.JSONDecodeError:
            session = {}
    if session is None:
        return request
    return session if isinstance(session, dict) else {}


def transcribes(session: Mapping[str, Any]) -> bool:
    """Whether the session only writes down speech."""
    return session.get("type") == "transcription" or session.get("object") == "realtime.transcription_session"


def model_of(endpoint: Endpoint, request: Mapping[str, Any]) -> Any:
    """What the request names as the model of its session, None for nothing."""
    session = session_of(request)
    if transcribes(session) or endpoint.name == "realtime.transcription_sessions":
        return transcriber_of(session) or FIRST_TRANSCRIBER
    return session.get("model")
