"""What a Realtime session uses, by the events that its server sends.

`response.done` reports a response with all that went into it. A transcription of the caller's audio is done by
another model, at that model's price, and reports by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from ledger.usage import Usage
from proxy.meter.deltas import collect
from proxy.meter.output import Output, TokenCounter
from proxy.meter.transcription import by_length
from proxy.meter.usage import read_usage

_TRANSCRIBED: Final = "conversation.item.input_audio_transcription.completed"
_LOOKED_AT: Final = (
    b'"response.done"',
    b'"response.created"',
    b"_transcription.completed",
    b'"session.created"',
    b'"session.updated"',
    b'"transcription_session.updated"',
    b'"input_audio_buffer.speech_st',
    b"transcript.delta",
    b'text.delta"',
    b"arguments.delta",
)
FIRST_TRANSCRIBER: Final = "whisper-1"
"""The model of transcriptions where the session's own events name none."""
_REMEMBERED: Final = 1000
_AUDIO_BYTES_PER_SECOND: Final = 48_000 * 4 // 3
_AUDIO_TOKENS_PER_SECOND: Final = 20


class RealtimeUse(NamedTuple):
    """`id` is that of the response or of the transcribed item; `model` is empty for the session's own. A transcription
    that is not `reported` is taken by the length of the speech."""

    id: str
    model: str
    usage: Usage
    reported: bool = True


class RealtimeMeter:
    """Fed with the messages of the server of one session, each a whole event. Never raises on what they hold."""

    __slots__ = ("_audio", "_input", "_output", "_pieces", "_spoken", "_transcriber", "_under_way", "_used")

    def __init__(self) -> None:
        self._transcriber = FIRST_TRANSCRIBER
        self._used: dict[tuple[str, str], None] = {}
        self._spoken: dict[str, int] = {}
        self._input = 0
        self._begin("")

    @property
    def delivered_tokens(self) -> int:
        """About what has passed of the response under way; a piece of text brings about one token."""
        return self._pieces + self._sound()

    def feed(self, message: bytes) -> RealtimeUse | None:
        """What this event says was used, once for each response and transcription."""
        if b"audio.delta" in message and b"transcript" not in message:
            self._audio += len(message)
            return None
        if not any(mark in message for mark in _LOOKED_AT):
            return None
        try:
            event = orjson.loads(message)
        except ValueError:
            return None
        return self._take(event) if isinstance(event, dict) else None

    def cut(self, counter: TokenCounter) -> Usage | None:
        """If the session ends now: the response that was under way, by what was delivered of it; its input is
        taken to be at least that of the one before. None where none was."""
        written = self._output.count(counter)
        audio = self._sound()
        if not self._under_way:
            return None
        return Usage(self._input, output_tokens=written + audio, audio_output_tokens=audio)

    def _begin(self, response: str) -> None:
        self._under_way, self._output, self._audio, self._pieces = response, Output(), 0, 0

    def _sound(self) -> int:
        """Tokens of the response's sound so far."""
        return math.ceil(self._audio / _AUDIO_BYTES_PER_SECOND * _AUDIO_TOKENS_PER_SECOND)

    def _take(self, event: dict[str, Any]) -> RealtimeUse | None:
        kind = event.get("type")
        match kind:
            case "response.done":
                return self._response(_object(event.get("response")))
            case "response.created":
                self._begin(_text(_object(event.get("response")).get("id")))
            case "session.created" | "session.updated" | "transcription_session.updated":
                self._transcriber = transcriber_of(_object(event.get("session"))) or self._transcriber
            case "input_audio_buffer.speech_started" | "input_audio_buffer.speech_stopped":
                self._listen(event)
            case str() if kind == _TRANSCRIBED:
                return self._transcription(event)
            case _:
                self._pieces += 1
                collect(event, self._output)
        return None

    def _response(self, response: Mapping[str, Any]) -> RealtimeUse | None:
        self._begin("")
        usage = read_usage(response.get("usage"))
        if usage is None:
            return None
        self._input = usage.input_tokens
        return self._once("response", _text(response.get("id")), "", usage)

    def _transcription(self, event: Mapping[str, Any]) -> RealtimeUse | None:
        item = _text(event.get("item_id"))
        usage = read_usage(event.get("usage"))
        milliseconds = self._spoken.pop(item, 0)
        if usage is not None:
            return self._once("item", item, self._transcriber, usage)
        usage = by_length(self._transcriber, math.ceil(max(milliseconds, 0) / 1000))
        return self._once("item", item, self._transcriber, usage, reported=False)

    def _once(
        self, kind: str, name: str, model: str, usage: Usage, *, reported: bool = True
    ) -> RealtimeUse | None:
        if (kind, name) in self._used:
            return None
        if name:
            self._used[kind, name] = None
            if len(self._used) > _REMEMBERED:
                del self._used[next(iter(self._used))]
        return RealtimeUse(name, model, usage, reported)

    def _listen(self, event: Mapping[str, Any]) -> None:
        """How long the caller spoke, for transcriptions that report nothing."""
        item = _text(event.get("item_id"))
        start, end = event.get("audio_start_ms"), event.get("audio_end_ms")
        if type(start) is int:
            self._spoken[item] = -start
        elif type(end) is int and item in self._spoken:
            self._spoken[item] += end
        if len(self._spoken) > _REMEMBERED:
            del self._spoken[next(iter(self._spoken))]


def transcriber_of(session: Mapping[str, Any]) -> str:
    """The model that transcribes the caller's speech, in both forms of a session; empty for none named."""
    newer = _object(_object(_object(session.get("audio")).get("input")).get("transcription"))
    older = _object(session.get("input_audio_transcription"))
    return _text(newer.get("model")) or _text(older.get("model"))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
