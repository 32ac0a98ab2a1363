"""A JSON document that broke off, read as far as it came. Pure."""

from __future__ import annotations

import re
from typing import Any

import orjson

_BROKEN_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$")
_STRUCTURE = re.compile(rb'["{}\[\],:]|[^\s"{}\[\],:]+')
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.S)


def read_cut(data: bytes) -> Any:
    """What there is of the document: a text that was cut is as long as it came, a member without a value and half a
    number are left out. None where nothing can be read."""
    for end in _ends(data):
        try:
            return orjson.loads(end)
        except orjson.JSONDecodeError:
            continue
    return None


def _ends(data: bytes) -> list[bytes]:
    """The document with an end: with the text that was cut, and as it was after its last whole value."""
    closers: list[bytes] = []
    whole = b""
    at = 0
    while (match := _STRUCTURE.search(data, at)) is not None:
        token = match[0]
        if token == b'"':
            string = _STRING.match(data, match.start())
            if string is None:
                return [_cut_text(data) + b'"' + b"".join(reversed(closers)), whole]
            at = string.end()
            continue
        at = match.end()
        if token in b"{[":
            closers.append(b"}" if token == b"{" else b"]")
        elif token in b"}]" and closers:
            closers.pop()
        elif token == b",":
            whole = data[: match.start()] + b"".join(reversed(closers))
    return [data + b"".join(reversed(closers)), whole]


def _cut_text(data: bytes) -> bytes:
    """Without half an escape or half a character at its end."""
    data = _BROKEN_ESCAPE.sub(rb"\1", data)
    return data.decode("utf-8", "ignore").encode() if data[-1:] >= b"\x80" else data
