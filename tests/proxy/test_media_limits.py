"""What is made and not written is held before it is made: pictures, speech, what is heard, videos."""

import asyncio
import io
import wave
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.proxy.test_disconnects import no_hold, seen_by_upstream, under_way
from tests.system import System, Tenant
from tests.wire import WireClient

IMAGES, SPEECH, VIDEOS = "/v1/images/generations", "/v1/audio/speech", "/v1/videos"
HEARD = "/v1/audio/transcriptions"
PICTURE = {"model": "dall-e-2", "prompt": "A cat", "size": "1024x1024"}


def sound(seconds: int) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16_000 * seconds))
    return made.getvalue()


async def limited(house: System, dollars: str, **limits: Any) -> Tenant:
    spend = {"spend_per_month": dollars} if dollars else {}
    return await house.tenant(currency="USD", limits={**spend, **limits}, unpriced_models="allow")


async def requests_of(house: System, model: str) -> int:
    """How many the upstream has had."""
    return len((await house.books(model=model))["requests"])


@pytest.mark.parametrize(
    ("path", "asked", "dollars"),
    [
        (IMAGES, PICTURE, "0.019"),
        (IMAGES, PICTURE | {"n": 3}, "0.05"),
        (IMAGES, {"model": "dall-e-3", "prompt": "A cat", "quality": "hd"}, "0.079"),
        (IMAGES, {"prompt": "A cat"}, "0.019"),
        (IMAGES, {"model": "gpt-image-1", "prompt": "A cat", "quality": "high"}, "0.24"),
        (IMAGES, {"model": "gpt-image-1", "prompt": "A cat"}, "0.24"),
        (IMAGES, {"model": "gpt-image-1", "prompt": "A cat", "quality": "low", "n": 10}, "0.1"),
        (SPEECH, {"model": "tts-1", "voice": "alloy", "input": "x" * 1000}, "0.0149"),
        (SPEECH, {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "x " * 500}, "0.01"),
        (VIDEOS, {"model": "sora-2-pro", "prompt": "A cat", "seconds": "8", "size": "1024x1792"}, "3.99"),
        (VIDEOS, {"prompt": "A cat"}, "0.39"),
    ],
)
async def test_what_would_pass_the_limit_is_refused_before_it_is_made(
    house: System, path: str, asked: dict[str, Any], dollars: str
) -> None:
    tenant = await limited(house, dollars)
    before = (await house.books())["total"]["requests"]
    async with house.client(tenant) as client:
        refused = await client.post(path, json=asked)
    assert refused.status_code == 402, refused.text
    assert refused.json()["error"]["code"] == "insufficient_quota"
    assert (await house.books())["total"]["requests"] == before


@pytest.mark.parametrize(
    ("model", "content", "dollars", "status"),
    [
        ("whisper-1", sound(61), "0.0060", 402),
        ("whisper-1", sound(60), "0.0061", 200),
        ("gpt-4o-transcribe", sound(60), "0.009", 402),
        ("gpt-4o-transcribe", sound(60), "0.01", 200),
        # Of what can't be read as sound, as much as its bytes can last at the most.
        ("whisper-1", b"?" * 75_000, "0.0099", 402),
        ("whisper-1", b"?" * 75_000, "0.0101", 200),
    ],
)
async def test_what_is_heard_is_held_by_its_length(
    house: System, model: str, content: bytes, dollars: str, status: int
) -> None:
    tenant = await limited(house, dollars)
    async with house.client(tenant) as client:
        answer = await client.post(HEARD, data={"model": model}, files={"file": ("a.wav", content)})
    assert answer.status_code == status, answer.text


async def test_pictures_made_at_once_never_pass_the_limit(house: System) -> None:
    tenant = await limited(house, "0.1")
    async with house.client(tenant) as client:
        answers = await asyncio.gather(*(client.post(IMAGES, json=PICTURE) for _ in range(12)))
    assert Counter(answer.status_code for answer in answers) == {200: 5, 402: 7}
    rows = await house.records(tenant, 5)
    assert sum(row["price_nano"] for row in rows) == 100_000_000


async def test_no_more_pictures_are_made_at_once_than_allowed(house: System) -> None:
    tenant = await limited(house, "", concurrent_requests=1)
    slow = PICTURE | {"model": "dall-e-2+delay=300"}
    async with house.client(tenant) as client:
        answers = await asyncio.gather(*(client.post(IMAGES, json=slow) for _ in range(4)))
        assert Counter(answer.status_code for answer in answers) == {200: 1, 429: 3}
        assert (await client.post(IMAGES, json=PICTURE)).status_code == 200


async def test_a_video_under_way_stays_held(house: System) -> None:
    tenant = await limited(house, "0.79")
    asked = {"model": "sora-2", "prompt": "A cat", "seconds": "4"}
    async with house.client(tenant) as client:
        made = await client.post(VIDEOS, json=asked, headers={"x-sim": "finish=60000"})
        assert made.json()["status"] == "queued"
        refused = await client.post(VIDEOS, json=asked)
        assert refused.status_code == 402
        form = {name: (None, value) for name, value in asked.items()}
        assert (await client.post(VIDEOS, files=form)).status_code == 402


async def test_who_leaves_before_the_picture_came_pays_for_it(house: System) -> None:
    tenant = await limited(house, "")
    name = f"picture-{tenant.organization_id}"
    client = await WireClient.post(
        house.proxy_url,
        IMAGES,
        tenant.key,
        PICTURE | {"n": 2},
        x_client_request_id=name,
        x_sim="delay=20000",
    )
    await under_way(house, name)
    client.leave()
    assert (await seen_by_upstream(house, name))["ended"] == "disconnected"
    [row] = await house.records(tenant, 1)
    assert (row["outcome"], row["usage_source"], row["quantities"]) == (
        "client_gone",
        "unknown",
        '{"image_1024x1024": 2}',
    )
    assert row["price_nano"] == 2 * 20_000_000
    await no_hold(house, tenant)


async def test_who_leaves_in_mid_stream_pays_for_the_picture_that_was_asked_for(house: System) -> None:
    tenant = await limited(house, "")
    name = f"partial-{tenant.organization_id}"
    asked = {"model": "gpt-image-1", "prompt": "A cat", "quality": "low", "size": "1024x1024"}
    client = await WireClient.post(
        house.proxy_url,
        IMAGES,
        tenant.key,
        asked | {"stream": True, "partial_images": 3},
        x_client_request_id=name,
        x_sim="pace=2000",
    )
    await client.read_until(b"partial_image")
    client.leave()
    await seen_by_upstream(house, name)
    [row] = await house.records(tenant, 1)
    assert (row["outcome"], row["usage_source"]) == ("client_gone", "unknown")
    assert row["output_tokens"] == row["image_output_tokens"] == 272 + 300
    await no_hold(house, tenant)


async def test_a_drawing_that_cannot_be_metered_is_refused(house: System) -> None:
    tenant = await limited(house, "")
    async with house.client(tenant) as client:
        refused = await client.post(
            IMAGES, json={"model": "gpt-image-1", "prompt": "A cat", "output_format": "svg"}
        )
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "not_metered")


@pytest.mark.parametrize("said", [None, 7, ["Hello"], {"text": "Hello"}])
async def test_speech_of_what_is_no_text_is_refused(house: System, said: Any) -> None:
    tenant = await house.tenant()
    async with house.client(tenant) as client:
        refused = await client.post(SPEECH, json={"model": "tts-1", "voice": "alloy", "input": said})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")


async def test_hearing_without_a_file_is_refused(house: System) -> None:
    tenant = await house.tenant()
    fields = {"model": (None, "whisper-1"), "file": (None, "not a file")}
    async with house.client(tenant) as client:
        for refused in (
            await client.post(HEARD, files=fields),
            await client.post(HEARD, json={"model": "whisper-1", "url": "https://sounds.invalid/1.wav"}),
        ):
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "file")


async def test_a_model_of_sound_without_a_price_is_refused(house: System) -> None:
    tenant = await house.tenant()
    async with house.client(tenant) as client:
        refused: httpx.Response = await client.post(
            HEARD, data={"model": "nobody-hears"}, files={"file": ("a.wav", b"x")}
        )
    assert (refused.status_code, refused.json()["error"]["param"]) == (402, "model")
