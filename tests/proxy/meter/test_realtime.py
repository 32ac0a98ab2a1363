from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.usage import Usage
from proxy.meter.realtime import RealtimeMeter, RealtimeUse
from proxy.meter.usage import read_usage

_SESSIONS = Path(__file__).resolve().parents[4] / "shared" / "corpus" / "openai-realtime.jsonl.gz"
USAGE = {
    "total_tokens": 30,
    "input_tokens": 20,
    "output_tokens": 10,
    "input_token_details": {
        "cached_tokens": 8,
        "text_tokens": 5,
        "audio_tokens": 15,
        "cached_tokens_details": {"text_tokens": 2, "audio_tokens": 6},
    },
    "output_token_details": {"text_tokens": 4, "audio_tokens": 6},
}


class Words:
    def count(self, text: str) -> int:
        return len(text.split())


def event(kind: str, **members: Any) -> bytes:
    return json.dumps({"type": kind, "event_id": "e", **members}).encode()


def done(name: str = "resp_1", **members: Any) -> bytes:
    return event("response.done", response={"id": name, "usage": USAGE, **members})


def transcribed(item: str = "item_1", **members: Any) -> bytes:
    kind = "conversation.item.input_audio_transcription.completed"
    return event(kind, item_id=item, content_index=0, transcript="a", **members)


def test_a_response_reports_all_kinds_of_its_tokens() -> None:
    used = Usage(
        20,
        cached_input_tokens=8,
        output_tokens=10,
        audio_input_tokens=15,
        audio_output_tokens=6,
        quantities={"cached_audio_tokens": 6},
    )
    assert RealtimeMeter().feed(done()) == RealtimeUse("resp_1", "", used)


def test_each_response_counts_once() -> None:
    meter = RealtimeMeter()
    assert meter.feed(done("a")) is not None
    assert meter.feed(done("a")) is None
    assert meter.feed(done("b")) is not None


def test_a_cancelled_response_costs_what_it_reports() -> None:
    assert RealtimeMeter().feed(done(status="cancelled")) is not None
    assert RealtimeMeter().feed(done(status="failed", usage=None)) is None


@pytest.mark.parametrize(
    "session",
    [
        {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}},
        {"input_audio_transcription": {"model": "gpt-4o-transcribe"}},
    ],
)
def test_a_transcription_is_another_models(session: dict[str, Any]) -> None:
    meter = RealtimeMeter()
    meter.feed(event("session.updated", session=session))
    usage = {"type": "tokens", "input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    assert meter.feed(transcribed(usage=usage)) == RealtimeUse(
        "item_1", "gpt-4o-transcribe", Usage(5, output_tokens=2)
    )
    assert meter.feed(transcribed(usage=usage)) is None


def test_a_transcription_that_reports_nothing_costs_the_speech_that_was_heard() -> None:
    meter = RealtimeMeter()
    meter.feed(event("input_audio_buffer.speech_started", audio_start_ms=500, item_id="item_1"))
    meter.feed(event("input_audio_buffer.speech_stopped", audio_end_ms=3100, item_id="item_1"))
    assert meter.feed(transcribed()) == RealtimeUse(
        "item_1", "whisper-1", Usage(quantities={"seconds": 3}), reported=False
    )


def test_a_session_that_ends_amid_a_response_pays_for_what_it_got() -> None:
    meter = RealtimeMeter()
    meter.feed(done("a"))
    meter.feed(event("response.created", response={"id": "b"}))
    meter.feed(event("response.output_audio_transcript.delta", delta="good day"))
    meter.feed(event("response.output_audio.delta", delta="A" * 64_000))
    used = meter.cut(Words())
    assert used is not None
    assert used.input_tokens == 20
    assert used.audio_output_tokens in (20, 21)
    assert used.output_tokens == 2 + used.audio_output_tokens
    meter.feed(done("b"))
    assert meter.cut(Words()) is None


def test_words_of_the_model_are_no_events() -> None:
    said = event("response.output_text.delta", delta=done().decode())
    assert RealtimeMeter().feed(said) is None


_odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from(["response", "session", "usage", "id", "item_id", "audio", "input", "transcription"])
        | st.sampled_from(["model", "audio_start_ms", "audio_end_ms", "delta", "input_tokens"]),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)
_KINDS = [
    "response.done",
    "response.created",
    "session.updated",
    "response.output_text.delta",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "conversation.item.input_audio_transcription.completed",
]


@given(
    st.lists(
        st.tuples(st.sampled_from(_KINDS), st.dictionaries(st.text(max_size=3), _odd) | _odd), max_size=6
    )
)
def test_no_event_raises(events: list[tuple[str, Any]]) -> None:
    meter = RealtimeMeter()
    for kind, members in events:
        made = {**members, "type": kind} if isinstance(members, dict) else members
        meter.feed(json.dumps(made).encode())
        meter.feed(json.dumps(made).encode()[:-1])
    meter.cut(Words())


def test_recorded_sessions_give_what_they_report() -> None:
    if not _SESSIONS.exists():
        pytest.skip(f"the recorded sessions are not at {_SESSIONS}")
    with gzip.open(_SESSIONS, "rt", encoding="utf-8") as lines:
        sessions = [json.loads(line) for line in lines]
    transcriptions = silent_ones = 0
    for session in sessions:
        meter = RealtimeMeter()
        received = (frame["data"] for frame in session["frames"] if frame["direction"] == "received")
        used = [use for use in map(meter.feed, (json.dumps(data).encode() for data in received)) if use]
        reported = [read_usage(usage) for usage in session["usages"]]
        silent = Counter(str(use.usage) for use in used) - Counter(map(str, reported))
        assert silent.total() == len(used) - len(reported), session["id"]
        silent_ones += silent.total()
        assert meter.cut(Words()) is None
        transcriptions += sum(1 for use in used if use.model)
    assert len(sessions) == 28
    assert transcriptions == 7
    assert silent_ones == 1  # one server transcribes without a report
