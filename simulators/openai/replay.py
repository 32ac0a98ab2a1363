"""Answers with recorded traffic, byte for byte, its streams cut where the network might cut them.

The file is JSON lines, gzipped if its name ends with .gz: method, endpoint (the path), request_body,
response_status, response_headers, response_body, response_body_b64, request_body_b64, stream, usage, id.
"""

import base64
import gzip
import re
from collections.abc import Iterator
from hashlib import shake_256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from simulators.openai.books import OpenEntry
from simulators.openai.errors import ApiError, Headers
from simulators.openai.exchange import Exchange
from simulators.openai.fields import JsonObject

# Valid for one connection or for the recorded encoding only.
_NOT_REPEATED = {"content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive"}
_WITHIN_CHARACTER = re.compile(rb"[\xc2-\xf4](?=[\x80-\xbf])")
_WITHIN_LINE_END = re.compile(rb"\r(?=\n)")


class Recordings:
    def __init__(self, rows: list[JsonObject], seed: int) -> None:
        self._seed = seed
        self._by_id = {row["id"]: row for row in rows}
        self._by_request: dict[tuple[str, str, bytes], JsonObject] = {}
        for row in rows:
            body = _bytes(row["request_body"], row["request_body_b64"])
            self._by_request.setdefault((row["method"], unquote(row["endpoint"]), _canonical(body)), row)

    async def answer(self, exchange: Exchange, opened: OpenEntry, headers: Headers) -> None:
        row = self._find(exchange, await exchange.body())
        body = _bytes(row["response_body"], row["response_body_b64"])
        status = row["response_status"]
        entry = opened.entry
        entry.model, entry.stream, entry.status = row["model"], bool(row["stream"]), status
        recorded = [
            (name.encode(), value.encode())
            for name, value in row["response_headers"].items()
            if name.lower() not in _NOT_REPEATED
        ]
        is_stream = body.startswith((b"data:", b"event:", b":"))
        if not is_stream and status != 204:
            recorded.append((b"content-length", b"%d" % len(body)))
        await exchange.start(status, [*headers, *recorded], streamed=is_stream)
        usage = row["usage"] or {}
        entry.prompt_tokens = _first_number(usage, "prompt_tokens", "input_tokens")
        pieces = list(cut(body, f"{self._seed}:{row['id']}")) if is_stream else [body]
        for index, piece in enumerate(pieces):
            await exchange.write(piece, more=index + 1 < len(pieces))
        entry.completion_tokens_served = _first_number(usage, "completion_tokens", "output_tokens")
        opened.close("complete" if status < 400 else "error")

    def _find(self, exchange: Exchange, body: bytes) -> JsonObject:
        wanted = exchange.headers.get("x-replay-id")
        if wanted is not None:
            row = self._by_id.get(wanted)
        else:
            row = self._by_request.get((exchange.method, exchange.path, _canonical(body)))
        if row is None:
            what = f"id '{wanted}'" if wanted else f"{exchange.method} {exchange.path} with this body"
            raise ApiError(404, f"Simulator: no recorded answer for {what}.", code="recording_not_found")
        return row


def read_recordings(path: Path, seed: int) -> Recordings:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return Recordings([orjson.loads(line) for line in content.splitlines() if line.strip()], seed)


def cut(body: bytes, seed: str) -> Iterator[bytes]:
    """The body in pieces of 1 to 300 bytes or so; one cut lies within a character, one within a CR LF."""
    hard = (_WITHIN_CHARACTER.search(body), _WITHIN_LINE_END.search(body))
    places = {found.end() for found in hard if found}
    place = 0
    for number in shake_256(seed.encode()).digest(len(body) // 20 + 64):
        # Mostly short steps, now and then a long one.
        place += number % 16 + 1 if number < 128 else number
        if place >= len(body):
            break
        places.add(place)
    begin = 0
    for end in [*sorted(places), len(body)]:
        yield body[begin:end]
        begin = end


def _canonical(body: bytes) -> bytes:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body


def _bytes(text: str, is_base64: bool) -> bytes:
    return base64.b64decode(text) if is_base64 else text.encode()


def _first_number(usage: JsonObject, *names: str) -> int:
    values: list[Any] = [usage.get(name) for name in names]
    return next((value for value in values if isinstance(value, int)), 0)
