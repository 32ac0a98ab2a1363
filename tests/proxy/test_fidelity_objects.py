"""The rest of the recorded traffic: objects, forms, pictures and sound pass byte for byte, and are metered as told.

What test_fidelity.py does not replay is replayed here as it was sent, by the tenant who owns what it names.
"""

import gzip
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from proxy.endpoints.catalogue import find
from proxy.ownership.mentions import mentioned
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.recordings import CORPUS, TOKENS, Recording, others, recordings, told
from tests.system import System, Tenant, prepare, system
from tests.tap import Tap

GONE = "OpenAI has this endpoint no more"
NO_FORM = "whoever recorded it took the form's body away, or wrapped it into JSON"
NOT_MEANT = "the path of a program of OpenAI's own, which no catalogue of its API has"
REFUSED = {"/v1/edits": GONE, "/v1/fine-tunes": GONE, "/v1/traces/ingest": NOT_MEANT}
"""By the beginning of a path."""
NO_FORMS = {"0c777cb5078d8daa": NO_FORM, "2336c421a26622ec": NO_FORM}
REALTIME = ("/realtime/calls", "/realtime/client_secrets")
"""Their answers are changed: the secret of a session is ours. They have tests of their own."""
QUANTITIES = {
    "14112180dc1426f4": {"image_256x256": 1},
    "24eae693cd57cff7": {"image_256x256": 1},
    "f1d22e62f84e6f61": {"seconds": 4},
    "6fa58680e9f52150": {"seconds": 4},
}
"""What is paid for by other than tokens: pictures by their size, sound as long as it lasts."""
SILENT = {"07c7c40e5730ca82", "f1d22e62f84e6f61"}
"""Their answers do not say what was used: it is counted."""
GO_ON = {"b4f88a518b832b78", "e5c72b0eccd3109e"}
"""A batch and a run: they are paid for when they have ended."""
LINE = {
    "custom_id": "1",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "gpt-4o", "messages": []},
}
BEHIND = {"/v1/files/file-uFk9X2lZO7ug5rr95SjODqax/content": json.dumps(LINE)}
"""What the proxy asks for itself, and nobody recorded."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CORPUS.exists(), reason="the recorded traffic is not beside this checkout"),
]


@dataclass(frozen=True)
class Passage:
    """A recording that went through the proxy: what the client saw, and its usage row (None: there is none)."""

    recording: Recording
    status: int
    body: bytes
    row: dict[str, Any] | None


@dataclass
class Stage:
    house: System
    tap: Tap
    tenant: Tenant
    passages: list[Passage] = field(default_factory=list)

    async def play(self, recording: Recording, client: httpx.AsyncClient) -> tuple[httpx.Response, bytes]:
        """Sends the recorded request; what it names, and what a list of it names, is the tenant's by then."""
        if not is_refused(recording):
            match = find(recording.method, recording.path)
            listed = re.findall(rb'"id": ?"([^"]+)"', recording.answered) if match.endpoint.lists else []
            named = {*match.ids.values(), *(each.decode() for each in listed)}
            if recording.sent.startswith(b"{"):
                named |= mentioned(recording.sent, recording.request)
            await self.house.own(self.tenant, named)
        headers = {"accept-encoding": "identity", "x-replay-id": recording.id}
        if recording.sent:
            headers["content-type"] = recording.content_type
        url = f"{self.house.proxy_url}{recording.path}{'?' if recording.query else ''}{recording.query}"
        async with client.stream(
            recording.method, url, content=recording.sent or None, headers=headers
        ) as answer:
            return answer, b"".join([data async for data in answer.aiter_raw()])


def sent(recording: Recording) -> bytes:
    """A DELETE has no body; what a recorder put there goes no further."""
    return b"" if recording.method == "DELETE" else recording.sent


def is_refused(recording: Recording) -> bool:
    return recording.id in NO_FORMS or recording.path.startswith(tuple(REFUSED))


def rest() -> list[Recording]:
    return [recording for recording in others() if not recording.path.endswith(REALTIME)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    postgres: Postgres, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    replay = tmp_path_factory.mktemp("fidelity") / "replay.jsonl"
    write_replay(replay)
    name = "test_fidelity_objects"
    await postgres.create_database(name)
    await prepare(postgres.url(name))
    tap = Tap()
    url = await tap.open()
    with system(postgres.url(name), valkey.url(13), OPENAI_BASE_URL=f"{url}/v1") as house:
        house.upstream_options = ("--replay", str(replay))
        tap.upstream_url = house.upstream_url
        house.start("upstream", "drain", "proxy")
        made = Stage(house, tap, await house.tenant(unpriced_models="allow"))
        async with house.client(made.tenant) as client:
            played = [(recording, *await made.play(recording, client)) for recording in rest()]
        await house.quiet()
        query = "select * from usage where organization_id = $1"
        rows = {row["request_id"]: row for row in await house.fetch(query, made.tenant.organization_id)}
        made.passages = [
            Passage(recording, answer.status_code, body, rows.get(answer.headers["x-request-id"]))
            for recording, answer, body in played
        ]
        yield made
    await tap.close()


def write_replay(file: Path) -> None:
    """All that was recorded, and what is asked for BEHIND it."""
    rows: list[dict[str, Any]] = [
        {
            "id": path,
            "method": "GET",
            "endpoint": path,
            "model": None,
            "stream": False,
            "request_body": "",
            "request_body_b64": False,
            "response_status": 200,
            "response_headers": {},
            "response_body": said,
            "response_body_b64": False,
            "usage": None,
        }
        for path, said in BEHIND.items()
    ]
    file.write_bytes(gzip.decompress(CORPUS.read_bytes()) + "\n".join(map(json.dumps, rows)).encode())


def passed(stage: Stage) -> list[Passage]:
    """Those that went upstream."""
    return [passage for passage in stage.passages if not is_refused(passage.recording)]


async def test_every_recording_is_replayed_somewhere(stage: Stage) -> None:
    realtime = [recording for recording in others() if recording.path.endswith(REALTIME)]
    assert len(recordings()) + len(stage.passages) + len(realtime) == 428
    assert len(realtime) == 3


async def test_every_answer_passes_byte_for_byte(stage: Stage) -> None:
    changed = [
        (p.recording.id, p.recording.method, p.recording.path, p.status, p.body[:200])
        for p in passed(stage)
        if p.status != p.recording.status or not is_same(p)
    ]
    assert changed == []


def is_same(passage: Passage) -> bool:
    recording = passage.recording
    if not find(recording.method, recording.path).endpoint.lists:
        return passage.body == recording.answered
    # A list is put together anew; the tenant owns all that was recorded.
    return bool(json.loads(passage.body)["data"] == json.loads(recording.answered)["data"])


async def test_the_upstream_receives_what_the_client_sent(stage: Stage) -> None:
    forms = 0
    for passage in passed(stage):
        recording, received = passage.recording, stage.tap.bodies[passage.recording.id]
        if recording.path.endswith("/runs"):
            # A run is given a bound where it has none.
            given = json.loads(received)
            assert {name: given[name] for name in recording.request} == recording.request
        else:
            assert received == sent(recording), recording.id
        forms += recording.content_type.startswith("multipart") and bool(recording.sent)
    assert forms == 6


async def test_what_openai_would_not_take_is_refused_and_leaves_nothing(stage: Stage) -> None:
    refused = [passage for passage in stage.passages if is_refused(passage.recording)]
    assert {p.recording.id for p in refused} >= NO_FORMS.keys()
    for passage in refused:
        assert passage.status == (400 if passage.recording.id in NO_FORMS else 404), passage.recording.id
        assert passage.row is None or passage.row["price_nano"] == 0
        assert not stage.tap.bodies.get(passage.recording.id), (
            "what was sent on was no form, and came to no end"
        )


async def test_what_was_used_is_recorded_as_the_provider_reported_it(stage: Stage) -> None:
    reported = [p for p in passed(stage) if p.recording.usage and p.recording.method == "POST"]
    for passage in reported:
        assert passage.row is not None
        counted = {name: passage.row[name] for name in TOKENS}
        assert counted == expected(passage.recording), passage.recording.id
        assert passage.row["usage_source"] == "provider"
    assert {p.recording.path.rsplit("/")[-1] for p in reported} == {
        "compact",
        "generations",
        "runs",
        "transcriptions",
    }


def expected(recording: Recording) -> dict[str, int]:
    usage = dict(recording.usage or {})
    if "input_token_details" in usage:
        usage["input_tokens_details"] = usage["input_token_details"]
    counts = told(usage)
    if recording.path.endswith("/generations"):
        counts["image_output_tokens"] = counts["output_tokens"]
    return counts


async def test_pictures_and_sound_are_recorded_as_they_were_made(stage: Stage) -> None:
    rows = {p.recording.id: p.row for p in passed(stage)}
    for name, quantities in QUANTITIES.items():
        row = rows[name]
        assert row is not None
        assert json.loads(row["quantities"]) == quantities
        assert row["usage_source"] == ("tokenizer" if name in SILENT else "provider")
        assert row["price_nano"] > 0
    counted = rows["07c7c40e5730ca82"]
    assert counted is not None
    assert (counted["usage_source"], counted["audio_input_tokens"] > 0) == ("tokenizer", True)
    assert counted["output_tokens"] > 0


async def test_all_else_costs_nothing_and_leaves_one_record_of_its_bytes(stage: Stage) -> None:
    paid = QUANTITIES.keys() | SILENT | {p.recording.id for p in passed(stage) if p.recording.usage}
    free = 0
    for passage in passed(stage):
        recording, row = passage.recording, passage.row
        if recording.id in GO_ON:
            assert row is None
            continue
        assert row is not None, recording.id
        assert (row["status"], row["outcome"]) == (recording.status, "completed")
        assert (row["request_bytes"], row["response_bytes"]) == (len(sent(recording)), len(passage.body))
        if recording.id not in paid or recording.method == "GET":
            free += 1
            assert (row["price_nano"], row["usage_source"]) == (0, "provider"), recording.id
            assert not any(row[name] for name in TOKENS)
    assert free > 30
