"""Recorded traffic of the real OpenAI goes through a running proxy and comes out as it was, and is metered as told.

A simulator replays the answers, its streams cut anywhere; a tap before it keeps what the proxy sent upstream.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from proxy.ownership.mentions import mentioned
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.recordings import CORPUS, FORMS, TOKENS, Recording, in_form, recordings, told, write_replay
from tests.system import System, Tenant, prepare, system
from tests.tap import Tap

SEEDS = (0, 1)
AT_ONCE = 8
NO_MODEL = "Azure names the model in the path; without that path OpenAI too answers 400 for want of a model"
REFUSED = {
    "e047d87012730238": NO_MODEL,
    "c450c205349df0a5": NO_MODEL,
    "5bd89af013cb967c": NO_MODEL,
    "677a244c5b8a9e39": NO_MODEL,
    "3c0b011f9b1a57a5": NO_MODEL,
    "798a4e7012a2a514": NO_MODEL,
    "545ef3ccf0ca66bb": NO_MODEL,
    "389006a78646fb74": NO_MODEL,
    "5576877b05ebb3b2": NO_MODEL,
}
NOTHING = dict.fromkeys(TOKENS, 0)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CORPUS.exists(), reason="the recorded traffic is not beside this checkout"),
]


@dataclass(frozen=True)
class Passage:
    """A recording that went through the proxy: what the client saw, and its usage row (None: there is none)."""

    recording: Recording
    status: int
    headers: httpx.Headers
    body: bytes
    row: dict[str, Any] | None


@dataclass
class Stage:
    """A running system whose upstream replays the recordings, and all that went through it once."""

    house: System
    tap: Tap
    tenant: Tenant
    passages: list[Passage] = field(default_factory=list)
    go_on: int = 0

    async def play(self, recordings: Iterable[Recording]) -> list[Passage]:
        """Sends each recorded request; all rows are there when this returns."""
        free = asyncio.Semaphore(AT_ONCE)
        async with self.house.client(self.tenant) as client:

            async def one(recording: Recording) -> tuple[Recording, httpx.Response, bytes]:
                headers = {"accept-encoding": "identity", "x-replay-id": recording.id}
                if recording.sent:
                    headers["content-type"] = "application/json"
                async with (
                    free,
                    client.stream(
                        recording.method, recording.path, content=recording.sent, headers=headers
                    ) as answer,
                ):
                    return recording, answer, b"".join([data async for data in answer.aiter_raw()])

            recordings = list(recordings)
            for each in recordings:
                await self.house.own(self.tenant, mentioned(each.sent, each.request))
            played = await asyncio.gather(*map(one, recordings))
        self.go_on += sum(recording.goes_on for recording in recordings)
        await self.house.quiet()
        rows = {row["request_id"]: row for row in await self.rows()}
        return [
            Passage(
                recording, answer.status_code, answer.headers, body, rows.get(answer.headers["x-request-id"])
            )
            for recording, answer, body in played
        ]

    async def rows(self) -> list[dict[str, Any]]:
        return await self.house.fetch(
            "select * from usage where organization_id = $1", self.tenant.organization_id
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=SEEDS, ids=lambda seed: f"seed{seed}")
async def stage(
    request: pytest.FixtureRequest,
    postgres: Postgres,
    valkey: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stage]:
    replay = tmp_path_factory.mktemp("fidelity") / "replay.jsonl"
    write_replay(replay, [r for r in unasked() if r.id.count(":")])
    name = f"test_fidelity_{request.param}"
    await postgres.create_database(name)
    await prepare(postgres.url(name))
    tap = Tap()
    url = await tap.open()
    with system(postgres.url(name), valkey.url(20 + request.param), OPENAI_BASE_URL=f"{url}/v1") as house:
        house.upstream_options = ("--replay", str(replay), "--seed", str(request.param))
        tap.upstream_url = house.upstream_url
        house.start("upstream", "drain", "proxy")
        made = Stage(house, tap, await house.tenant(unpriced_models="allow"))
        made.passages = await made.play(recordings())
        yield made
    await tap.close()


def passed(stage: Stage) -> list[Passage]:
    """Those that went upstream."""
    return [passage for passage in stage.passages if passage.recording.id not in REFUSED]


def tokens_of(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in TOKENS}


async def test_every_answer_passes_byte_for_byte(stage: Stage) -> None:
    assert len(stage.passages) > 350
    changed = [
        (p.recording.id, p.status, p.body[:300])
        for p in passed(stage)
        if (p.status, p.body) != (p.recording.status, p.recording.expected)
    ]
    assert changed == []


async def test_the_recorded_headers_pass(stage: Stage) -> None:
    # The encoding was taken off by whoever recorded.
    lost = [
        (p.recording.id, name, value, p.headers.get(name))
        for p in passed(stage)
        for name, value in p.recording.headers.items()
        if name.lower() != "content-encoding" and p.headers.get(name) != value
    ]
    assert lost == []
    assert all(p.headers["x-request-id"] != p.headers["x-upstream-request-id"] for p in passed(stage))


async def test_only_requests_that_openai_would_refuse_are_refused_here(stage: Stage) -> None:
    refused = {p.recording.id: p for p in stage.passages if "x-upstream-request-id" not in p.headers}
    assert refused.keys() == REFUSED.keys()
    for passage in refused.values():
        assert "model" not in passage.recording.request
        assert (passage.status, passage.row) == (400, None)
        assert json.loads(passage.body)["error"]["param"] == "model"
        assert passage.recording.id not in stage.tap.bodies


async def test_the_upstream_receives_what_the_client_sent_and_the_wish_for_usage(stage: Stage) -> None:
    wishes = 0
    for passage in passed(stage):
        recording, received = passage.recording, stage.tap.bodies[passage.recording.id]
        if recording.is_chat_stream and not recording.asks_usage:
            options = {**(recording.request.get("stream_options") or {}), "include_usage": True}
            assert json.loads(received) == {**recording.request, "stream_options": options}, recording.id
            wishes += 1
        else:
            assert received == recording.sent, recording.id
    assert wishes > 10


async def test_the_tokens_recorded_are_those_that_the_provider_reported(stage: Stage) -> None:
    reported = [p for p in passed(stage) if p.recording.usage is not None]
    wrong = [
        (p.recording.id, told(p.recording.usage or {}), p.row and tokens_of(p.row))
        for p in reported
        if p.row is None
        or (tokens_of(p.row), p.row["usage_source"]) != (told(p.recording.usage or {}), "provider")
    ]
    assert wrong == []
    assert len(reported) > 270
    for name in ("cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "audio_input_tokens"):
        assert any(p.row and p.row[name] for p in reported), f"no recording has {name}"


async def test_an_answer_without_usage_is_counted(stage: Stage) -> None:
    silent = [
        p
        for p in passed(stage)
        if p.recording.usage is None
        and p.recording.status < 300
        and p.recording.method == "POST"
        and not p.recording.goes_on
    ]
    assert len(silent) > 15
    for passage in silent:
        row = passage.row
        assert row is not None
        assert (row["usage_source"], row["status"]) == ("tokenizer", passage.recording.status)
        assert row["input_tokens"] > 0, passage.recording.id
        delivers = b'"content":"' in passage.body.replace(b" ", b"") and passage.recording.is_chat_stream
        assert row["output_tokens"] > 0 or not delivers, passage.recording.id


async def test_errors_and_lists_cost_nothing(stage: Stage) -> None:
    free = [p for p in passed(stage) if p.recording.status >= 400 or p.recording.method == "GET"]
    assert {p.recording.status for p in free} >= {200, 400, 401, 404, 429, 503}
    for passage in free:
        row = passage.row
        assert row is not None
        assert (row["status"], row["usage_source"]) == (passage.recording.status, "provider")
        assert (tokens_of(row), row["price_nano"], row["cost_nano_usd"]) == (NOTHING, 0, 0)


async def test_there_is_one_row_for_each_request(stage: Stage) -> None:
    rows = await stage.rows()
    ids = Counter(p.row["request_id"] for p in stage.passages if p.row is not None)
    assert set(ids.values()) == {1}
    assert len(passed(stage)) == len(ids) + stage.go_on
    assert len(ids) <= len(rows)
    for passage in passed(stage):
        row, recording = passage.row, passage.recording
        if recording.goes_on:
            assert row is None
            continue
        assert row is not None
        assert (row["outcome"], row["stream"]) == ("completed", bool(recording.request.get("stream")))
        assert row["model"] == recording.request.get("model", "")
        assert (row["request_bytes"], row["response_bytes"]) == (len(recording.sent), len(passage.body))


async def test_usage_that_the_client_did_not_ask_for_is_removed_and_nothing_else(stage: Stage) -> None:
    before = len(await stage.rows())
    played = await stage.play(unasked())
    assert len(await stage.rows()) == before + len(played)
    assert len(played) > 150
    for passage in played:
        recording, row = passage.recording, passage.row
        assert passage.body == recording.expected, recording.id
        assert json.loads(stage.tap.bodies[recording.id]) == {
            **recording.request,
            "stream_options": {**recording.request.get("stream_options", {}), "include_usage": True},
        }
        assert row is not None
        if recording.usage is not None:
            assert passage.body != recording.answered
            assert (tokens_of(row), row["usage_source"]) == (told(recording.usage), "provider")


def unasked() -> list[Recording]:
    """The recorded streams that were asked for usage, asked for without that wish; as they came, and in other forms."""
    streams = [
        replace(recording, sent=without_wish(recording))
        for recording in recordings()
        if recording.is_chat_stream and recording.asks_usage and recording.id not in REFUSED
    ]
    return [*streams, *(in_form(stream, form) for stream in streams for form in FORMS)]


def without_wish(recording: Recording) -> bytes:
    options = {**recording.request["stream_options"]}
    del options["include_usage"]
    rest = {name: value for name, value in recording.request.items() if name != "stream_options"}
    return json.dumps(rest | ({"stream_options": options} if options else {})).encode()
