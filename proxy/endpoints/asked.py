"""What a request asks for, read from its body: only what metering needs, all else is the upstream's to judge."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from proxy.endpoints import forms, realtime
from proxy.endpoints.deciding import check_once
from proxy.endpoints.endpoint import Endpoint
from proxy.errors import Refusal
from proxy.meter.form_scanner import is_form
from proxy.meter.multipart import Form

LABEL_HEADER: Final = b"x-tollkeeper-label"
_LONGEST_LABEL: Final = 200
_LONGEST_MODEL: Final = 256
_COUNTS: Final = (
    ("max_completion_tokens", 0),
    ("max_tokens", 0),
    ("max_output_tokens", 0),
    ("n", 1),
    ("best_of", 1),
)
"""Members that count, and the least that each may be."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`body` as the client sent it, `request` decoded: a form's is made up of its texts. `model` is empty for a call
    without a body, and where a prompt stored upstream names it."""

    endpoint: Endpoint
    body: bytes
    request: Mapping[str, Any]
    model: str
    stream: bool
    label: str | None
    form: Form | None = None
    announced: int | None = None
    """Bytes of a body that passes as it comes; 0 where nobody said."""

    @property
    def size(self) -> int:
        """Bytes of the body, as far as they are known before it has passed."""
        return len(self.body) if self.announced is None else self.announced


def read(endpoint: Endpoint, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Asked:
    """Raises Refusal 400 that names what can't be understood."""
    label = label_of(headers)
    if not endpoint.takes_body or (not body and not endpoint.needs_model):
        model = endpoint.default_model or "" if endpoint.opens else ""
        return Asked(endpoint, b"", {}, model, False, label)
    if endpoint.takes == "anything":
        return Asked(endpoint, body, _members(body), "", False, label)
    if endpoint.opens == "call" and forms.content_type_of(headers).startswith(b"application/sdp"):
        return Asked(endpoint, body, {}, endpoint.default_model or "", False, label)
    if endpoint.takes == "form" and is_form(content_type := forms.content_type_of(headers)):
        form, request = forms.read(content_type, body)
        if endpoint.opens and "session" in request:
            request["session"] = realtime.session_of(request)
        return _asked(endpoint, body, request, label, form)
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal(
            400,
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
            "library correctly. The API expects a JSON payload, but what was sent was not valid JSON.)",
        ) from None
    if not isinstance(request, dict):
        raise Refusal(400, "The body must be a JSON object.")
    check_once(body, request)
    return _asked(endpoint, body, request, label, None)


def understood(endpoint: Endpoint, request: Mapping[str, Any]) -> Asked:
    """As `read`, of what is decoded already and has no body of its own."""
    return _asked(endpoint, b"", request, None, None)


def uploading(endpoint: Endpoint, length: int | None, headers: Sequence[tuple[bytes, bytes]]) -> Asked:
    """What a body asks for that passes as it comes: all of it stands in the path."""
    return Asked(endpoint, b"", {}, "", False, label_of(headers), announced=length or 0)


def _members(body: bytes) -> Mapping[str, Any]:
    """Of what may be JSON; none of what is not."""
    try:
        found = orjson.loads(body) if body.lstrip().startswith(b"{") else {}
    except orjson.JSONDecodeError:
        found = {}
    return found if isinstance(found, dict) else {}


def _asked(
    endpoint: Endpoint, body: bytes, request: Mapping[str, Any], label: str | None, form: Form | None
) -> Asked:
    model = _model(endpoint, request)
    stream = request.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise _wrong("stream", "a boolean")
    options = request.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise _wrong("stream_options", "an object")
    for name, least in _COUNTS:
        if name in request:
            _check_count(request, name, least)
    return Asked(endpoint, body, request, model, stream is True, label or _cleaned(_label(request)), form)


def label_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The caller's label in the header of its own."""
    for name, value in headers:
        if name == LABEL_HEADER:
            return _cleaned(value.decode("utf-8", "replace"))
    return None


def _model(endpoint: Endpoint, request: Mapping[str, Any]) -> str:
    model = realtime.model_of(endpoint, request) if endpoint.opens else request.get("model")
    if model is None:
        if endpoint.default_model is not None:
            return endpoint.default_model
        if not endpoint.needs_model:
            return ""
        if endpoint.creates == "response" and isinstance(request.get("prompt"), dict):
            return ""
        raise Refusal(400, "you must provide a model parameter", param="model")
    if not isinstance(model, str) or not 0 < len(model) <= _LONGEST_MODEL or not model.isprintable():
        raise _wrong("model", "a name of a model")
    return model


def _check_count(request: Mapping[str, Any], name: str, least: int) -> None:
    value = request.get(name)
    if value is None:
        return
    if type(value) is not int or not least <= value <= 10**9:
        raise _wrong(name, f"an integer of at least {least}")


def _label(request: Mapping[str, Any]) -> str | None:
    """The caller's label in `metadata`: `search_term`, else `label`, else the one there is."""
    metadata = request.get("metadata")
    if not isinstance(metadata, dict):
        return None
    only = next(iter(metadata.values())) if len(metadata) == 1 else None
    value = metadata.get("search_term", metadata.get("label", only))
    return value if isinstance(value, str) else None


def _cleaned(label: str | None) -> str | None:
    if not label:
        return None
    return "".join(c for c in label if c.isprintable())[:_LONGEST_LABEL].strip() or None


def _wrong(name: str, expected: str) -> Refusal:
    return Refusal(400, f"Invalid type for '{name}': expected {expected}.", code="invalid_type", param=name)
