"""Events of a session, as far as money and ownership need them. Pure; everything else passes unread."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from proxy.errors import Refusal
from proxy.meter.realtime import transcriber_of
from proxy.meter.usage import read_usage
from proxy.ownership.mentions import is_tuned

_TOLD: Final = re.compile(
    rb'"type"\s*:\s*"(?:response\.created|response\.done|error|(?:transcription_)?session\.(?:created|updated))"'
)
_SESSIONS: Final = frozenset({"session.update", "transcription_session.update"})
_SESSIONS_TOLD: Final = frozenset({"session.created", "session.updated", "transcription_session.updated"})
_REFERENCES: Final = frozenset({"file_id", "file_ids", "vector_store_id", "vector_store_ids", "container_id"})
"""Members whose value names an object that lies outside of the session. Items and responses live in it alone, and
prompts belong to the account, as everywhere."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client's event asks for. `model` and `transcriber` are those it names for the session and for
    transcriptions. `references`: ids of objects that must be the caller's."""

    id: str | None = None
    responds: bool = False
    model: str = ""
    transcriber: str = ""
    references: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class News:
    """What a server's event tells. `reported`: a response that is done says what it used. `model` and `transcriber` are
    the session's."""

    kind: str
    response: str = ""
    reported: bool = False
    model: str = ""
    transcriber: str = ""


NOTHING: Final = Wish()


def wish_of(message: bytes) -> Wish:
    """Of a client's event; what can't be read asks for nothing that the server would understand."""
    try:
        event = orjson.loads(message)
    except ValueError:
        return NOTHING
    if not isinstance(event, dict):
        return NOTHING
    kind, identifier = event.get("type"), event.get("event_id")
    if kind == "input_audio_buffer.append":
        return NOTHING
    session = _object(event.get("session")) if kind in _SESSIONS else {}
    model = session.get("model")
    return Wish(
        identifier if isinstance(identifier, str) else None,
        kind == "response.create",
        model if isinstance(model, str) else "",
        transcriber_of(session),
        frozenset(_references(event)),
    )


def news_of(message: bytes) -> News | None:
    """Of a server's event; None where it tells nothing that matters here."""
    if not _TOLD.search(message):
        return None
    try:
        event = orjson.loads(message)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    kind = event.get("type")
    if kind in ("response.created", "response.done"):
        response = _object(event.get("response"))
        identifier = response.get("id")
        reported = read_usage(response.get("usage")) is not None
        return News(kind, identifier if isinstance(identifier, str) else "", reported)
    if kind in _SESSIONS_TOLD:
        session = _object(event.get("session"))
        model = session.get("model")
        named = model if isinstance(model, str) else ""
        return News("session", model=named, transcriber=transcriber_of(session))
    return News("error") if kind == "error" else None


def error_event(refusal: Refusal, event_id: str | None = None) -> str:
    """A refusal in the form in which a session's errors come. `event_id` is that of the client's event."""
    error = {
        "type": refusal.type,
        "code": refusal.code,
        "message": refusal.message,
        "param": refusal.param,
        "event_id": event_id,
    }
    event = {"type": "error", "event_id": f"event_{secrets.token_hex(12)}", "error": error}
    return orjson.dumps(event).decode()


def _references(event: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting: list[Any] = [event]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, Mapping):
            for name, member in value.items():
                if name in _REFERENCES:
                    named = member if isinstance(member, list) else [member]
                    found.update(each for each in named if isinstance(each, str))
                elif name == "model" and isinstance(member, str) and is_tuned(member):
                    found.add(member)
                elif name not in ("metadata", "parameters"):
                    waiting.append(member)
    return found


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
