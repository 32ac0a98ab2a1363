"""Recorded sessions of the real service pass as they were, and are recorded as it reported them."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection

from tests.proxy.realtime.stage import SECONDS, client, upstream
from tests.recordings import TOKENS
from tests.system import System

SESSIONS = Path(__file__).resolve().parents[4] / "shared" / "corpus" / "openai-realtime.jsonl.gz"
_LINES = gzip.decompress(SESSIONS.read_bytes()).splitlines() if SESSIONS.exists() else []
RECORDED: list[dict[str, Any]] = [json.loads(line) for line in _LINES]

pytestmark = pytest.mark.skipif(not RECORDED, reason="there is no ../shared/corpus")


def frame(data: dict[str, Any], number: int) -> str:
    """As text; every other one with characters beyond ASCII as they are, as OpenAI sends them."""
    return json.dumps(data, ensure_ascii=bool(number % 2))


async def perform(
    connection: ClientConnection | ServerConnection, frames: list[dict[str, Any]], speaks: str
) -> None:
    for number, each in enumerate(frames):
        written = frame(each["data"], number)
        if each["direction"] == speaks:
            await connection.send(written)
        else:
            assert await asyncio.wait_for(connection.recv(), SECONDS) == written


def tokens(usage: dict[str, Any]) -> tuple[int, ...]:
    """A reported usage in the order of our columns."""
    into, out = usage.get("input_token_details", {}), usage.get("output_token_details", {})
    found = {
        "input_tokens": usage["input_tokens"],
        "cached_input_tokens": into.get("cached_tokens", 0),
        "audio_input_tokens": into.get("audio_tokens", 0),
        "image_input_tokens": into.get("image_tokens", 0),
        "output_tokens": usage["output_tokens"],
        "reasoning_tokens": out.get("reasoning_tokens", 0),
        "audio_output_tokens": out.get("audio_tokens", 0),
    }
    return tuple(found.get(name, 0) for name in TOKENS)


def seconds_of(row: dict[str, Any]) -> int:
    return int(json.loads(row["quantities"]).get("seconds", 0))


@pytest.mark.parametrize("session", RECORDED, ids=lambda session: session["id"])
async def test_a_recorded_session_passes_byte_for_byte_and_is_recorded_as_reported(
    theatre: System, session: dict[str, Any]
) -> None:
    tenant = await theatre.tenant(unpriced_models="allow")
    frames = session["frames"]
    told = [each["data"] for each in frames if each["direction"] == "received"]
    done = [event["response"]["usage"] for event in told if event["type"] == "response.done"]
    written = [
        event for event in told if event["type"] == "conversation.item.input_audio_transcription.completed"
    ]

    async def play(connection: ServerConnection) -> None:
        await perform(connection, frames, "received")

    async with upstream(theatre, play) as stage:
        async with client(theatre, tenant, f"model={session['model']}") as connection:
            await perform(connection, frames, "sent")
        await asyncio.wait_for(stage.done.wait(), SECONDS)
    rows = await theatre.records(tenant, len(done) + len(written))
    responses = [row for row in rows if row["model"] == session["model"]]
    assert sorted(tuple(row[name] for name in TOKENS) for row in responses) == sorted(map(tokens, done))
    others = [row for row in rows if row["model"] != session["model"]]
    of_writing = sorted(seconds_of(row) for row in others if row["usage_source"] == "provider")
    assert of_writing == sorted(each["usage"].get("seconds", 0) for each in written if "usage" in each)
    assert len(others) - len(of_writing) == sum("usage" not in each for each in written)
    reported = [*done, *(each["usage"] for each in written if "usage" in each)]
    assert sorted(map(json.dumps, reported)) == sorted(map(json.dumps, session["usages"]))
    assert {row["outcome"] for row in rows} == {"completed"}
    assert {row["usage_source"] for row in responses} == {"provider"}
    sent = sum(
        len(frame(each["data"], number).encode())
        for number, each in enumerate(frames)
        if each["direction"] == "sent"
    )
    assert sum(row["request_bytes"] for row in rows) <= sent
    await theatre.quiet()
