"""The official SDK makes and hears pictures and sound by the proxy: metered as the simulator's books have it."""

import io
import json
import wave
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tests.sdk import Sdk, open_sdk, sim
from tests.system import System

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK, of what is still used

PIXEL = ("cat.png", b"\x89PNG of a cat", "image/png")
RATE = 8000


def recording(seconds: float) -> tuple[str, bytes]:
    """Silence, of as many bytes a second as the simulator takes for one."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(round(2 * RATE * seconds)))
    return ("speech.wav", made.getvalue()[: round(2 * RATE * seconds)])


@pytest.fixture(params=["sync", "async"])
async def sdk(request: pytest.FixtureRequest, house: System) -> AsyncIterator[Sdk]:
    async with open_sdk(house, request.param) as opened:
        yield opened


async def served(sdk: Sdk, row: dict[str, Any]) -> dict[str, Any]:
    """The upstream's own entry: of the tenant's one call, by the name that the client gave it."""
    [entry] = (await sdk.house.books(client_request_id=sdk.tenant.organization_id))["requests"]
    assert (entry["model"], entry["endpoint"], entry["ended"]) == (row["model"], row["endpoint"], "complete")
    assert (row["status"], row["outcome"], row["usage_source"]) == (200, "completed", "provider")
    return dict(entry)


def quantities(row: dict[str, Any]) -> dict[str, int]:
    return dict(json.loads(row["quantities"]))


def named(sdk: Sdk, **switches: int) -> dict[str, str]:
    return {"x-client-request-id": sdk.tenant.organization_id, **(sim(**switches) if switches else {})}


@pytest.mark.parametrize(
    ("asked", "kind", "each"),
    [
        ({"model": "dall-e-2", "n": 2, "size": "256x256"}, "image_256x256", "0.016"),
        (
            {"model": "dall-e-3", "quality": "hd", "size": "1024x1792"},
            "image_hd_1024x1792",
            "0.12",
        ),
        ({}, "image_1024x1024", "0.02"),
    ],
    ids=["dall-e-2", "dall-e-3", "unnamed"],
)
async def test_pictures_by_the_piece(sdk: Sdk, asked: dict[str, Any], kind: str, each: str) -> None:
    answer = await sdk.get(sdk.client.images.generate(prompt="A cat", extra_headers=named(sdk), **asked))
    row = await sdk.row()
    entry = await served(sdk, row)
    assert len(answer.data) == entry["images"] == asked.get("n", 1)
    assert quantities(row) == {kind: entry["images"]}
    assert row["cost_nano_usd"] == entry["images"] * int(Decimal(each) * 10**9)


@pytest.mark.parametrize(
    ("way", "stream"),
    [("generate", False), ("generate", True), ("edit", False), ("edit", True), ("edit by json", False)],
)
async def test_pictures_by_the_token(sdk: Sdk, way: str, stream: bool) -> None:
    asked: dict[str, Any] = {"model": "gpt-image-1", "prompt": "A cat in a hat", "quality": "low"}
    asked |= {"stream": True, "partial_images": 2} if stream else {"n": 2}
    if way == "generate":
        call = sdk.client.images.generate(**asked, extra_headers=named(sdk))
    elif way == "edit":
        call = sdk.client.images.edit(**asked, image=[PIXEL, PIXEL], extra_headers=named(sdk))
    else:
        body = {**asked, "images": [{"image_url": "https://cats.invalid/1.png"}]}
        call = sdk.client.post("/images/edits", body=body, cast_to=object, options={"headers": named(sdk)})
    usage: Any
    if stream:
        events = await sdk.all(call)
        assert [event.type.split(".")[1] for event in events] == ["partial_image"] * 2 + ["completed"]
        usage = events[-1].usage.model_dump()
    else:
        answer = await sdk.get(call)
        usage = answer["usage"] if isinstance(answer, dict) else answer.usage.model_dump()
    row = await sdk.row()
    entry = await served(sdk, row)
    assert row["stream"] is stream
    pictures = usage["input_tokens_details"]["image_tokens"]
    assert (row["input_tokens"], row["output_tokens"]) == (usage["input_tokens"], usage["output_tokens"])
    assert (entry["prompt_tokens"], entry["completion_tokens_served"]) == (
        row["input_tokens"],
        row["output_tokens"],
    )
    assert (row["image_input_tokens"], row["image_output_tokens"]) == (pictures, row["output_tokens"])
    text = row["input_tokens"] - pictures
    assert row["cost_nano_usd"] == text * 5_000 + pictures * 10_000 + row["output_tokens"] * 40_000


async def test_a_variation(sdk: Sdk) -> None:
    call = sdk.client.images.create_variation(image=PIXEL, n=3, size="512x512", extra_headers=named(sdk))
    assert len((await sdk.get(call)).data) == 3
    row = await sdk.row()
    assert (await served(sdk, row))["images"] == 3
    assert (quantities(row), row["model"]) == ({"image_512x512": 3}, "dall-e-2")


async def test_speech_by_the_character(sdk: Sdk) -> None:
    text = "Größe ist relativ. " * 20
    answer = await sdk.get(
        sdk.client.audio.speech.create(model="tts-1", voice="alloy", input=text, extra_headers=named(sdk))
    )
    assert len(answer.content) > 1000
    row = await sdk.row()
    assert (
        quantities(row) == {"characters": (await served(sdk, row))["characters"]} == {"characters": len(text)}
    )
    assert row["cost_nano_usd"] == len(text) * 15_000
    assert row["response_bytes"] == len(answer.content)


async def test_speech_by_the_token(sdk: Sdk) -> None:
    manager = sdk.client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts",
        voice="alloy",
        input="Say this slowly. " * 10,
        stream_format="sse",
        extra_headers=named(sdk),
    )
    if hasattr(manager, "__aenter__"):
        async with manager as answer:
            told = [line async for line in answer.iter_lines()]
    else:
        with manager as answer:
            told = list(answer.iter_lines())
    assert any("speech.audio.done" in line for line in told)
    row = await sdk.row()
    entry = await served(sdk, row)
    assert (row["input_tokens"], row["output_tokens"]) == (
        entry["prompt_tokens"],
        entry["completion_tokens_served"],
    )
    assert row["cost_nano_usd"] == row["input_tokens"] * 600 + row["output_tokens"] * 12_000


@pytest.mark.parametrize("form", ["json", "verbose_json", "text", "srt", "vtt"])
@pytest.mark.parametrize("task", ["transcriptions", "translations"])
async def test_hearing_by_the_second(sdk: Sdk, task: str, form: str) -> None:
    call = getattr(sdk.client.audio, task).create(
        model="whisper-1", file=recording(6.5), response_format=form, extra_headers=named(sdk)
    )
    answer = await sdk.get(call)
    assert answer if isinstance(answer, str) else answer.text
    [entry] = (await sdk.house.books(client_request_id=sdk.tenant.organization_id))["requests"]
    row = await sdk.row()
    assert quantities(row) == {"seconds": entry["seconds"]} == {"seconds": 7}
    assert row["cost_nano_usd"] == 7 * 100_000
    # What the provider does not say is read from the recording itself.
    said = form == "verbose_json" or (form == "json" and task == "transcriptions")
    assert row["usage_source"] == ("provider" if said else "tokenizer")


@pytest.mark.parametrize("stream", [False, True])
async def test_hearing_by_the_token(sdk: Sdk, stream: bool) -> None:
    asked = {"model": "gpt-4o-transcribe", "file": recording(30), "prompt": "About cats"}
    call = sdk.client.audio.transcriptions.create(**asked, stream=stream, extra_headers=named(sdk))
    if stream:
        events = await sdk.all(call)
        assert events[-1].type == "transcript.text.done"
    else:
        assert (await sdk.get(call)).text
    row = await sdk.row()
    entry = await served(sdk, row)
    assert row["stream"] is stream
    assert (row["input_tokens"], row["output_tokens"]) == (
        entry["prompt_tokens"],
        entry["completion_tokens_served"],
    )
    assert row["audio_input_tokens"] == 300
    text = row["input_tokens"] - 300
    assert row["cost_nano_usd"] == text * 2_500 + 300 * 6_000 + row["output_tokens"] * 10_000


async def test_a_video_is_paid_for_once_when_it_is_finished(sdk: Sdk) -> None:
    asked = {"model": "sora-2-pro", "prompt": "A cat", "seconds": "8", "size": "1792x1024"}
    made = await sdk.get(
        sdk.client.videos.create(**asked, input_reference=PIXEL, extra_headers=named(sdk, finish=0))
    )
    assert made.status == "queued"
    for _ in range(2):
        assert (await sdk.get(sdk.client.videos.retrieve(made.id))).status == "completed"
    assert [video.id for video in await sdk.all(sdk.client.videos.list())] == [made.id]
    content = await sdk.get(sdk.client.videos.download_content(made.id))
    assert content.content.startswith(b"\0\0\0\x18ftyp")
    await sdk.get(sdk.client.videos.delete(made.id))
    rows = await sdk.house.records(sdk.tenant, 6)
    [row] = [row for row in rows if row["endpoint"] == "/v1/videos" and row["model"]]
    [entry] = (await sdk.house.books(client_request_id=sdk.tenant.organization_id))["requests"]
    assert (entry["seconds"], quantities(row)) == (8, {"video_second_1024p": 8})
    assert (row["cost_nano_usd"], row["usage_source"]) == (8 * 500_000_000, "provider")
    assert sum(row["cost_nano_usd"] for row in rows) == row["cost_nano_usd"]


async def test_a_remix_costs_what_its_original_did(sdk: Sdk) -> None:
    made = await sdk.get(sdk.client.videos.create(prompt="A cat", extra_headers=named(sdk, finish=0)))
    await sdk.get(sdk.client.videos.retrieve(made.id))
    again = await sdk.get(
        sdk.client.videos.remix(made.id, prompt="A dog", extra_headers=named(sdk, finish=0))
    )
    await sdk.get(sdk.client.videos.retrieve(again.id))
    rows = [row for row in await sdk.house.records(sdk.tenant, 4) if row["model"]]
    assert {row["endpoint"] for row in rows} == {"/v1/videos", "/v1/videos/{video}/remix"}
    for row in rows:
        assert (row["model"], quantities(row)) == ("sora-2", {"video_second_720p": 4})
        assert row["cost_nano_usd"] == 4 * 100_000_000
