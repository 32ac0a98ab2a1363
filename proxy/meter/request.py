"""Changes of a request within the bytes that the client sent: all that isn't meant stays as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from proxy.meter.members import MalformedJsonError, Member, members, object_start

_OPTIONS = "stream_options"
_WISH = b'"include_usage":true'


class Asked(NamedTuple):
    """The body to send, and whether the client had asked for the usage itself."""

    body: bytes
    by_client: bool


def ask_for_usage(raw: bytes, request: Mapping[str, Any]) -> Asked:
    """Put `stream_options.include_usage: true` into a request body that streams.

    `request` is `raw` decoded. All other bytes stay as the client sent them: doubled keys, long numbers,
    white space. A body that doesn't stream, or whose `stream_options` is not an object, stays as it is: the
    upstream refuses it in its own words.
    """
    options = request.get(_OPTIONS)
    if request.get("stream") is not True:
        return Asked(raw, False)
    if isinstance(options, Mapping) and options.get("include_usage") not in (None, False):
        return Asked(raw, True)
    if options is not None and not isinstance(options, Mapping):
        return Asked(raw, False)
    try:
        return Asked(_asking(raw), False)
    except MalformedJsonError:
        return Asked(raw, False)


def add_member(raw: bytes, name: str, value: int) -> bytes:
    """As `put_member`."""
    return put_member(raw, name, b"%d" % value)


def put_member(raw: bytes, name: str, value: bytes) -> bytes:
    """Put the member `name` into a JSON object, or set it where it is there; `value` is JSON. Raises
    MalformedJsonError."""
    start = object_start(raw)
    found = list(members(raw, start))
    given = [member for member in found if member.key == name]
    if not given:
        return _appended(raw, start, found, b'"%b":%b' % (name.encode(), value))
    for member in reversed(given):
        raw = raw[: member.value_start] + value + raw[member.value_end :]
    return raw


def _asking(raw: bytes) -> bytes:
    start = object_start(raw)
    found = list(members(raw, start))
    given = [member for member in found if member.key == _OPTIONS]
    if not given:
        return _appended(raw, start, found, b'"stream_options":{' + _WISH + b"}")
    for member in reversed(given):
        raw = _wishing(raw, member)
    return raw


def _wishing(raw: bytes, options: Member) -> bytes:
    """`raw` with the wish in one `stream_options` value, which is null or an object."""
    if raw[options.value_start : options.value_start + 1] != b"{":
        return raw[: options.value_start] + b"{" + _WISH + b"}" + raw[options.value_end :]
    inner = list(members(raw, options.value_start))
    wishes = [member for member in inner if member.key == "include_usage"]
    if not wishes:
        return _appended(raw, options.value_start, inner, _WISH)
    for member in reversed(wishes):
        raw = raw[: member.value_start] + b"true" + raw[member.value_end :]
    return raw


def _appended(raw: bytes, start: int, found: list[Member], member: bytes) -> bytes:
    """`raw` with one more member at the end of the object that starts at `start`."""
    at, comma = (found[-1].value_end, b",") if found else (start + 1, b"")
    return raw[:at] + comma + member + raw[at:]
