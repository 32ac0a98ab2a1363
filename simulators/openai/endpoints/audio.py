"""/v1/audio: speech, transcriptions, translations."""

import base64
from collections.abc import Iterator

from simulators.openai.answers import (
    Answer,
    Call,
    Event,
    Route,
    Stream,
    Usage,
    Whole,
    data_event,
    plain_failure,
    pretty,
)
from simulators.openai.completion import Completion, Wish, complete, digest
from simulators.openai.errors import invalid_value
from simulators.openai.fields import JsonObject

BYTES_PER_SECOND = 16_000  # of whatever audio comes
TOKENS_PER_SECOND = 10
LONGEST_INPUT = 4096  # characters
_CHUNK = 1024
_FORMATS = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


def _speech(call: Call) -> Answer:
    fields = call.fields
    for name in ("input", "voice"):
        fields.require(name)
    text = fields.text("input") or ""
    if len(text) > LONGEST_INPUT:
        raise invalid_value("input", f"string too long. Expected at most {LONGEST_INPUT} characters.")
    kind = _FORMATS[fields.one_of("response_format", _FORMATS) or "mp3"]
    seconds = max(1, len(text) // 15)
    # Only the newer models count tokens.
    counts = not call.model.startswith("tts-")
    usage = Usage(
        prompt=call.vocabulary.count(text) if counts else 0,
        completion=seconds * TOKENS_PER_SECOND if counts else 0,
        characters=len(text),
    )
    sound = [digest(call.seed, text, second) * (_CHUNK // 32) for second in range(seconds)]
    if fields.one_of("stream_format", ("audio", "sse")) == "sse":
        return Stream(_spoken(call, sound, usage), usage, plain_failure)
    return Stream([Event(chunk, 0) for chunk in sound], usage, _silence, content_type=kind)


def _silence(_index: int, _message: str) -> bytes:
    return b""  # raw audio has no place for an error


def _spoken(call: Call, sound: list[bytes], usage: Usage) -> Iterator[Event]:
    for chunk in sound:
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode()})
    done: JsonObject = {"type": "speech.audio.done"}
    if not call.switches.no_usage:
        done["usage"] = {
            "input_tokens": usage.prompt,
            "output_tokens": usage.completion,
            "total_tokens": usage.total,
        }
    yield _event(done)


def _transcription(call: Call) -> Answer:
    return _heard(call, "transcribe")


def _translation(call: Call) -> Answer:
    return _heard(call, "translate")


def _heard(call: Call, task: str) -> Answer:
    fields, given = call.fields, call.form.file("file")
    wanted = fields.one_of("response_format", ("json", "text", "srt", "verbose_json", "vtt", "diarized_json"))
    seconds = -(-len(given.content) // BYTES_PER_SECOND) or 1
    seed = digest(call.seed, call.model, task, len(given.content))
    heard = complete(call.vocabulary, seed, Wish(tokens=call.switches.tokens))
    usage, reported = _usage(call, heard, seconds)
    ending = {} if call.switches.no_usage else {"usage": reported}
    if fields.flag("stream") and call.model != "whisper-1":
        return Stream(_deltas(heard, ending), usage, plain_failure)
    segment = {"id": 0, "seek": 0, "start": 0.0, "end": float(seconds), "text": heard.text, "tokens": []}
    segment |= {"temperature": 0.0, "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.0}
    times = f"00:00:00,000 --> 00:{seconds // 60 % 60:02}:{seconds % 60:02},000"
    match wanted:
        case "text":
            return _plain(heard.text + "\n", usage)
        case "srt":
            return _plain(f"1\n{times}\n{heard.text}\n\n", usage)
        case "vtt":
            return _plain(f"WEBVTT\n\n{times.replace(',', '.')}\n{heard.text}\n\n", usage)
        case "verbose_json" | "diarized_json":
            body = {"task": task, "language": "english", "duration": float(seconds), "text": heard.text}
            return Whole(pretty(body | {"segments": [segment]} | ending), usage)
    if task == "translate":
        ending = {}  # this one never reports any
    return Whole(pretty({"text": heard.text} | ending), usage)


def _usage(call: Call, heard: Completion, seconds: int) -> tuple[Usage, JsonObject]:
    """What is served and how it is reported: seconds by the oldest model, tokens by the others."""
    if call.model == "whisper-1":
        return Usage(seconds=seconds), {"type": "duration", "seconds": seconds}
    text, audio = call.vocabulary.count(call.fields.text("prompt") or ""), seconds * TOKENS_PER_SECOND
    usage = Usage(text + audio, heard.tokens, seconds=seconds)
    return usage, {
        "type": "tokens",
        "input_tokens": usage.prompt,
        "input_token_details": {"text_tokens": text, "audio_tokens": audio},
        "output_tokens": usage.completion,
        "total_tokens": usage.total,
    }


def _deltas(heard: Completion, ending: JsonObject) -> Iterator[Event]:
    for piece in heard.pieces:
        yield _event({"type": "transcript.text.delta", "delta": piece.text}, piece.tokens)
    yield _event({"type": "transcript.text.done", "text": heard.text} | ending)


def _event(value: JsonObject, tokens: int = 0) -> Event:
    return Event(data_event(value), tokens)


def _plain(text: str, usage: Usage) -> Answer:
    return Whole(text.encode(), usage, content_type="text/plain; charset=utf-8")


ROUTES = (
    Route("POST", "/v1/audio/speech", _speech),
    Route("POST", "/v1/audio/transcriptions", _transcription),
    Route("POST", "/v1/audio/translations", _translation),
)
