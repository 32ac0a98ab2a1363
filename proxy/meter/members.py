"""Where the members of a JSON object stand in its bytes, without decoding the rest.

A JSON string never holds an unescaped quote, so a `"` that follows `,` or `{` opens a key or a string and
never lies inside one. All of the byte operations of this package rest on that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import orjson

_WHITE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.S)
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.S)
_SCALAR = re.compile(rb"[^\s,\[\]{}\":]++")
_OPEN = frozenset(b"{[")
_MOST_TRIES = 64


class MalformedJsonError(ValueError):
    """The bytes are not the JSON object that was expected."""


class Member(NamedTuple):
    """One member: its decoded key, where the key starts, and the half-open span of its value."""

    key: str
    start: int
    value_start: int
    value_end: int


def object_start(raw: bytes, at: int = 0) -> int:
    """The offset of the object's `{`, white space skipped. Raises MalformedJsonError where something else
    stands."""
    at = _skip(raw, at)
    if raw[at : at + 1] != b"{":
        raise MalformedJsonError("not an object")
    return at


def members(raw: bytes, at: int = 0) -> Iterator[Member]:
    """Walk the members of the object at `at`. Raises MalformedJsonError where the structure breaks."""
    at = _skip(raw, object_start(raw, at) + 1)
    if raw[at : at + 1] == b"}":
        return
    while True:
        key = _STRING.match(raw, at)
        if key is None:
            raise MalformedJsonError("a key is missing")
        colon = _skip(raw, key.end())
        if raw[colon : colon + 1] != b":":
            raise MalformedJsonError("a colon is missing")
        value = _skip(raw, colon + 1)
        end = value_end(raw, value)
        yield Member(_decoded(key.group()), at, value, end)
        after = _skip(raw, end)
        mark = raw[after : after + 1]
        if mark == b"}":
            return
        if mark != b",":
            raise MalformedJsonError("a comma is missing")
        at = _skip(raw, after + 1)


def value_end(raw: bytes, at: int) -> int:
    """The offset just behind the value at `at`. Raises MalformedJsonError where it doesn't end."""
    first = raw[at : at + 1]
    if first == b'"':
        text = _STRING.match(raw, at)
        if text is None:
            raise MalformedJsonError("a string doesn't end")
        return text.end()
    if first in (b"{", b"["):
        depth = 0
        for token in _STRING_OR_BRACKET.finditer(raw, at):
            mark = raw[token.start()]
            if mark in _OPEN:
                depth += 1
            elif mark != 0x22:
                depth -= 1
                if depth == 0:
                    return token.end()
        raise MalformedJsonError("a bracket doesn't close")
    scalar = _SCALAR.match(raw, at)
    if scalar is None:
        raise MalformedJsonError("a value is missing")
    return scalar.end()


def without(raw: bytes, doomed: list[Member]) -> bytes:
    """`raw` without these members of one object; each takes one comma with it."""
    for member in reversed(doomed):
        before = len(raw[: member.start].rstrip(b" \t\r\n"))
        if raw[before - 1 : before] == b",":
            raw = raw[: before - 1] + raw[member.value_end :]
            continue
        after = _skip(raw, member.value_end)
        if raw[after : after + 1] == b",":
            after = _skip(raw, after + 1)
        raw = raw[: member.start] + raw[after:]
    return raw


def last_member(raw: bytes, key: bytes, depth: int, window: int) -> tuple[int, int] | None:
    """The span of the value of the last member `key` whose object is `depth` deep (1: the outermost), found
    from the end.

    Looks at no more than the last `window` bytes. None where there is none, or where it can't be known: `raw`
    must be the end of one valid JSON document.
    """
    token = b'"' + key + b'"'
    floor = max(len(raw) - window, 0)
    at = len(raw)
    for _ in range(_MOST_TRIES):
        at = raw.rfind(token, floor, at)
        if at < 0:
            return None
        if raw[floor:at].rstrip(b" \t\r\n")[-1:] not in (b",", b"{"):
            continue
        colon = _skip(raw, at + len(token))
        if raw[colon : colon + 1] != b":":
            continue
        start = _skip(raw, colon + 1)
        try:
            end = value_end(raw, start)
        except MalformedJsonError:
            continue
        if _closers(raw, end) == depth:
            return start, end
    return None


def _closers(raw: bytes, at: int) -> int:
    """How many of the brackets that close behind `at` were opened before it."""
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(raw, at):
        mark = raw[token.start()]
        if mark in _OPEN:
            depth += 1
        elif mark != 0x22:
            depth -= 1
    return -depth


def _skip(raw: bytes, at: int) -> int:
    match = _WHITE.match(raw, at)
    return at if match is None else match.end()


def _decoded(key: bytes) -> str:
    if b"\\" not in key:
        return key[1:-1].decode("utf-8", "replace")
    try:
        return str(orjson.loads(key))
    except ValueError as error:
        raise MalformedJsonError("a key is garbled") from error
