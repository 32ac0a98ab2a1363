"""Pictures, sound, moving pictures, files."""

import base64
import io
import wave
from typing import Any

from tests.proxy.complete.driving import QUICKLY, drives, ids
from tests.sdk import Sdk

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av6nNYGKAAAAAElFTkSuQmCC"
)


def silence() -> bytes:
    """Two seconds of it."""
    written = io.BytesIO()
    with wave.open(written, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(32_000))
    return written.getvalue()


@drives("images.")
async def images(sdk: Sdk) -> None:
    images = sdk.client.images
    asked: dict[str, Any] = {
        "model": "gpt-image-1",
        "prompt": "A pixel",
        "size": "1024x1024",
        "quality": "low",
    }
    assert (await sdk.get(images.generate(**asked))).usage.output_tokens
    assert (await sdk.get(images.edit(**asked, image=("a.png", PIXEL)))).usage.output_tokens
    varied = images.create_variation(model="dall-e-2", image=("a.png", PIXEL), size="256x256")
    assert len((await sdk.get(varied)).data) == 1


@drives("audio.")
async def audio(sdk: Sdk) -> None:
    audio = sdk.client.audio
    spoken = await sdk.get(audio.speech.create(model="tts-1", voice="alloy", input="The river is wide"))
    assert spoken.content
    sound = {"model": "whisper-1", "file": ("a.wav", silence())}
    assert (await sdk.get(audio.transcriptions.create(**sound))).text
    assert (await sdk.get(audio.translations.create(**sound))).text


@drives("files.")
async def files(sdk: Sdk) -> None:
    files = sdk.client.files
    made = await sdk.get(files.create(file=("a.txt", b"The river"), purpose="user_data"))
    assert ids(await sdk.all(files.list())) == [made.id]
    assert (await sdk.get(files.retrieve(made.id))).bytes == 9
    assert (await sdk.get(files.content(made.id))).content == b"The river"
    assert await sdk.get(files.retrieve_content(made.id)) == "The river"
    assert (await sdk.get(files.wait_for_processing(made.id))).status == "processed"
    assert (await sdk.get(files.delete(made.id))).deleted


@drives("uploads.")
async def uploads(sdk: Sdk) -> None:
    uploads = sdk.client.uploads
    described: dict[str, Any] = {"mime_type": "text/plain", "purpose": "user_data"}
    made = await sdk.get(uploads.create(filename="a.txt", bytes=4, **described))
    part = await sdk.get(uploads.parts.create(made.id, data=b"abcd"))
    assert (await sdk.get(uploads.complete(made.id, part_ids=[part.id]))).status == "completed"
    given = await sdk.get(uploads.create(filename="a.txt", bytes=4, **described))
    assert (await sdk.get(uploads.cancel(given.id))).status == "cancelled"
    chunked = uploads.upload_file_chunked(file=b"abcd", filename="a.txt", bytes=4, part_size=2, **described)
    assert (await sdk.get(chunked)).file.bytes == 4


@drives("videos.")
async def videos(sdk: Sdk) -> None:
    videos = sdk.client.videos
    asked: dict[str, Any] = {"model": "sora-2", "prompt": "A cat", "seconds": "4", "size": "720x1280"}
    made = await sdk.get(videos.create(**asked))
    assert (await sdk.get(videos.poll(made.id, **QUICKLY))).status == "completed"
    polled = await sdk.get(videos.create_and_poll(**asked, **QUICKLY))
    assert (await sdk.get(videos.retrieve(polled.id))).status == "completed"
    remixed = await sdk.get(videos.remix(made.id, prompt="A dog"))
    assert ids(await sdk.all(videos.list())) == [remixed.id, polled.id, made.id]
    assert (await sdk.get(videos.download_content(made.id))).content
    assert (await sdk.get(videos.delete(made.id))).deleted
