"""Moderations, pictures and sound, through the official SDK and in the books."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.simulators.openai.running import Running


@pytest.fixture
def client(simulator: Running) -> Iterator[Any]:
    with OpenAI(base_url=f"{simulator.url}/v1", api_key="sk-test", max_retries=0) as client:
        yield client


def test_each_text_is_moderated(client: Any) -> None:
    results = client.moderations.create(input=["fine", "flag me"]).results
    assert [result.flagged for result in results] == [False, True]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK, of what OpenAI still has
def test_pictures_of_older_models_are_counted_and_of_newer_ones_reported_in_tokens(
    client: Any, simulator: Running
) -> None:
    assert (
        len([image.url for image in client.images.generate(prompt="A cat", model="dall-e-3", n=2).data]) == 2
    )
    assert client.images.create_variation(image=b"x", response_format="b64_json").data[0].b64_json
    edited = client.images.edit(image=[b"x", b"y"], prompt="A cat", model="gpt-image-1", quality="low")
    assert edited.usage.input_tokens_details.image_tokens == 2 * 765
    assert edited.usage.output_tokens == 272
    total = simulator.books()["total"]
    assert (total["images"], total["completion_tokens"]) == (4, 272)


def test_a_picture_comes_in_parts_and_its_usage_at_the_end(client: Any) -> None:
    events = list(client.images.generate(prompt="A cat", model="gpt-image-1", stream=True, partial_images=2))
    assert [event.type.split(".")[1] for event in events] == ["partial_image", "partial_image", "completed"]
    assert events[-1].usage.output_tokens == 1056


def test_speech_is_sound_or_events_with_usage(client: Any, simulator: Running) -> None:
    sound = client.audio.speech.create(model="tts-1", voice="alloy", input="Hello " * 10).read()
    assert len(sound) == 4096
    assert simulator.books()["models"]["tts-1"]["characters"] == 60
    asked = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello", "stream_format": "sse"}
    text = simulator.post("/v1/audio/speech", asked).text
    assert '"speech.audio.done","usage":{"input_tokens":1,' in text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK, of what OpenAI still has
def test_what_was_heard_is_reported_in_seconds_or_tokens(client: Any, simulator: Running) -> None:
    file = ("a.mp3", bytes(40_000))
    create = client.audio.transcriptions.create
    assert create(file=file, model="whisper-1").usage.seconds == 3
    assert create(file=file, model="whisper-1", response_format="verbose_json").duration == 3
    assert create(file=file, model="whisper-1", response_format="text").endswith("\n")
    usage = create(file=file, model="gpt-4o-transcribe+tokens=9").usage
    assert (usage.input_token_details.audio_tokens, usage.output_tokens) == (30, 9)
    events = list(create(file=file, model="gpt-4o-transcribe+tokens=9", stream=True))
    assert events[-1].usage.output_tokens == 9
    assert client.audio.translations.create(file=file, model="whisper-1").text
    assert simulator.books()["models"]["whisper-1"]["seconds"] == 12
    assert simulator.books()["models"]["gpt-4o-transcribe"]["completion_tokens"] == 18
