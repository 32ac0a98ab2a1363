from __future__ import annotations

import json

from ledger.usage import Usage
from proxy.meter.answer import JsonAnswer, StreamedAnswer
from proxy.meter.metering import Metered, Request
from proxy.meter.speech import speech


class Words:
    def count(self, text: str) -> int:
        return len(text.split())


def spoken(audio: bytes) -> JsonAnswer:
    answer = JsonAnswer()
    answer.feed(audio)
    return answer


def test_characters_are_what_tts_costs() -> None:
    request = Request("tts-1-hd", {"input": "Grüß dich", "voice": "alloy"})
    assert speech(request, spoken(b"\xff\xfb"), Words()) == Metered(
        Usage(quantities={"characters": 9}), "provider"
    )


def test_a_stream_of_events_reports_its_tokens() -> None:
    answer = StreamedAnswer()
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    for event in (
        {"type": "speech.audio.delta", "audio": "AA"},
        {"type": "speech.audio.done", "usage": usage},
    ):
        answer.feed(f"data: {json.dumps(event)}\n\n".encode())
    assert speech(Request("gpt-4o-mini-tts", {"input": "a b"}), answer, Words()) == Metered(
        Usage(14, output_tokens=101), "provider"
    )


def test_audio_without_a_report_is_counted_by_its_length() -> None:
    request = Request("gpt-4o-mini-tts", {"input": "a b", "instructions": "c", "response_format": "pcm"})
    assert speech(request, spoken(bytes(96_000)), Words()) == Metered(Usage(3, output_tokens=42), "tokenizer")


def test_audio_of_unknown_length_is_counted_by_its_text() -> None:
    request = Request("gpt-4o-mini-tts", {"input": "x" * 120})
    assert speech(request, spoken(b"?"), Words()) == Metered(Usage(1, output_tokens=210), "tokenizer")
