from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.usage import Usage
from proxy.meter import output as output_module
from proxy.meter import stream as stream_module
from proxy.meter.output import Output
from proxy.meter.stream import StreamReading, StreamScanner
from proxy.meter.tokenizer import Tokenizers
from proxy.meter.usage import read_usage


class Characters:
    """Counts characters, so that a test can say what was delivered."""

    def count(self, text: str) -> int:
        return len(text)


def _read(stream: bytes, cuts: list[int] | None = None) -> StreamReading:
    scanner = StreamScanner()
    start = 0
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts or []), len(stream)]:
        scanner.feed(stream[start:cut])
        start = cut
    return scanner.finish()


def _chunk(delta: dict[str, Any], index: int = 0, **more: Any) -> bytes:
    event = {"object": "chat.completion.chunk", "choices": [{"index": index, "delta": delta}], **more}
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


def _usage_chunk(prompt: int, completion: int) -> bytes:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def test_recorded_streams_give_their_recorded_usage_wherever_cut(streams: list[dict[str, Any]]) -> None:
    for row in streams:
        raw = row["raw"]
        for cuts in ([], list(range(0, len(raw), 5)), list(range(3, len(raw), 997))):
            reading = _read(raw, cuts)
            assert reading.usage is not None or row["usage"] is None, row["id"]
            tokens = None if reading.usage is None else replace(reading.usage, quantities={})
            assert tokens == read_usage(row["usage"]), row["id"]
            assert reading.terminal, row["id"]
            assert not reading.failed, row["id"]


def _delivered(raw: bytes) -> int:
    """What a client has read of a chat or responses stream: the characters of all deltas in whole events."""
    read = 0
    for event in raw.split(b"\n\n")[:-1]:
        data = event.split(b"data: ", 1)[1]
        if data == b"[DONE]":
            continue
        payload = json.loads(data)
        for choice in payload.get("choices", []):
            delta = choice.get("delta") or {}
            read += (
                len(choice.get("text") or "")
                + len(delta.get("content") or "")
                + len(delta.get("refusal") or "")
            )
            for call in delta.get("tool_calls") or []:
                read += len(call["function"].get("name") or "") + len(call["function"].get("arguments") or "")
        kind = payload.get("type", "")
        if kind.startswith("response.") and kind.endswith(".delta"):
            read += len(payload["delta"])
        if kind == "response.output_item.added" and payload["item"]["type"].endswith(
            ("n_call", "tool_call", "mcp_call")
        ):
            read += len(payload["item"].get("name") or "")
    return read


def test_an_abort_at_any_byte_counts_what_was_delivered(streams: list[dict[str, Any]]) -> None:
    checked = 0
    for row in streams:
        raw = row["raw"]
        if "/threads/" in row["endpoint"]:
            continue
        for end in range(0, len(raw), max(len(raw) // 23, 1)):
            if raw[:end].endswith(b"}\n"):
                continue
            part = raw[:end]
            tail = part[part.rfind(b"\n\n") + 2 :]
            if tail.endswith(b"}") or b"[DONE]" in tail:
                continue  # whole but for its blank line: it counts
            assert _read(part, [end // 3]).delivered_tokens(Characters()) == _delivered(part), (
                row["id"],
                end,
            )
            checked += 1
    assert checked > 1500


def test_a_long_stream_is_read_like_a_short_one(
    monkeypatch: pytest.MonkeyPatch, streams: list[dict[str, Any]]
) -> None:
    whole = [(_read(row["raw"]), row["raw"]) for row in streams]
    expected = [
        (reading.usage, reading.terminal, reading.delivered_tokens(Characters())) for reading, _ in whole
    ]
    monkeypatch.setattr(stream_module, "BATCH", 300)
    seen = [_read(raw, list(range(0, len(raw), 61))) for _, raw in whole]
    assert [(r.usage, r.terminal, r.delivered_tokens(Characters())) for r in seen] == expected


def test_the_last_usage_counts_and_is_never_summed() -> None:
    stream = _chunk({"content": "a"}, usage={"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5})
    stream += _usage_chunk(4, 2) + _usage_chunk(4, 3) + DONE
    assert _read(stream).usage == Usage(input_tokens=4, output_tokens=3)


def test_null_usage_behind_the_usage_does_not_erase_it() -> None:
    stream = _usage_chunk(4, 2) + b'data: {"choices":[],"moderation":{},"usage":null}\n\n' + DONE
    assert _read(stream).usage == Usage(input_tokens=4, output_tokens=2)


def test_text_that_looks_like_usage_is_not_usage() -> None:
    text = '"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}'
    assert _read(_chunk({"content": text}) + DONE).usage is None


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
def test_responses_usage_is_nested(kind: str) -> None:
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    event = json.dumps({"type": f"response.{kind}", "response": {"usage": usage}})
    reading = _read(f"event: response.{kind}\ndata: {event}\n\n".encode())
    assert reading.usage == Usage(input_tokens=5, output_tokens=2)
    assert reading.terminal
    assert reading.failed == (kind == "failed")


def test_a_failed_response_without_usage_counts_its_deltas() -> None:
    delta = json.dumps(
        {"type": "response.output_text.delta", "output_index": 0, "delta": "abc", "obfuscation": "zzzz"}
    )
    failed = json.dumps({"type": "response.failed", "response": {"usage": None}})
    reading = _read(f"data: {delta}\n\ndata: {failed}\n\n".encode())
    assert reading.usage is None
    assert reading.failed
    assert reading.delivered_tokens(Characters()) == 3


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error":{"message":"x"}}\n\n',
        b'event: error\ndata: {"type":"error","message":"x"}\n\n',
        b'data: {"type":"error","code":"x"}\n\n',
    ],
)
def test_an_error_in_mid_stream_is_seen(event: bytes) -> None:
    assert _read(_chunk({"content": "a"}) + event).failed
    assert not _read(_chunk({"content": 'no "error": here'})).failed


def test_a_stream_cut_short_is_not_terminal() -> None:
    assert not _read(_chunk({"content": "a"})).terminal


def test_a_last_event_without_blank_line_counts_if_it_is_whole() -> None:
    assert _read(_chunk({"content": "abc"})[:-2]).delivered_tokens(Characters()) == 3
    assert _read(_chunk({"content": "abc"})[:-3]).delivered_tokens(Characters()) == 0
    assert _read(_usage_chunk(4, 2).rstrip()).usage == Usage(input_tokens=4, output_tokens=2)
    assert _read(DONE.rstrip()).terminal


def test_padding_is_never_counted() -> None:
    assert _read(_chunk({"content": "ab"}, obfuscation="xxxxxxxx")).delivered_tokens(Characters()) == 2


def test_choices_tool_calls_and_refusals_add_up() -> None:
    stream = _chunk({"content": "ab"}) + _chunk({"content": "cd"}, index=1) + _chunk({"refusal": "no"})
    call = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}
    stream += _chunk({"tool_calls": [call]}) + _chunk(
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}
    )
    assert _read(stream).delivered_tokens(Characters()) == 2 + 2 + 2 + 1 + 2


def test_text_is_counted_as_one_run_and_not_delta_by_delta(tokenizers: Tokenizers) -> None:
    stream = b"".join(_chunk({"content": letter}) for letter in "international")
    assert _read(stream).delivered_tokens(tokenizers.named("o200k_base")) == 1


_events = st.lists(
    st.sampled_from(
        [
            _chunk({"content": "été 漢字 \U0001f600"}),
            _chunk({"content": "plain"}),
            _chunk({"content": "lone"}).replace(b"lone", b"\\ud83d"),
            _chunk({"content": "x"}).replace(b"\n", b"\r\n"),
            b": ping\n\n",
            b": ping\r\n\r\n",
            b'data:{"choices":[{"index":0,\ndata: "delta":{"content":"two lines"}}]}\n\n',
            b"data: not json\n\n",
            b"data: [1]\n\n",
            _usage_chunk(3, 4),
            _usage_chunk(5, 6).replace(b"\n", b"\r"),
            DONE,
        ]
    ),
    max_size=12,
)


@settings(max_examples=200)
@given(_events, st.lists(st.integers(0, 10**6), max_size=20), st.integers(0, 10**6))
def test_cuts_never_change_the_reading(events: list[bytes], cuts: list[int], end: int) -> None:
    stream = b"".join(events)
    for part in (stream, stream[: end % (len(stream) + 1)]):
        whole, pieces = _read(part), _read(part, cuts)
        assert (whole.usage, whole.terminal, whole.failed) == (pieces.usage, pieces.terminal, pieces.failed)
        assert whole.delivered_tokens(Characters()) == pieces.delivered_tokens(Characters())


@given(st.binary(max_size=300))
def test_noise_is_tolerated(noise: bytes) -> None:
    _read(noise).delivered_tokens(Characters())
    _read(b"data: " + noise + b"\n\n").delivered_tokens(Characters())


def _fed(stream: bytes, piece: int = 16 * 1024) -> tuple[StreamReading, int]:
    """The reading, and the most bytes that the scanner kept at once."""
    scanner, most = StreamScanner(), 0
    for start in range(0, len(stream), piece):
        scanner.feed(stream[start : start + piece])
        kept = scanner._size + scanner._splitter.held + len(scanner._end) + scanner._output.kept
        most = max(most, kept)
    return scanner.finish(), most


def test_usage_in_an_event_beyond_the_bound_is_found_in_bounded_memory() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    response = {"output": "x" * 5_000_000, "usage": usage, "user": None, "metadata": {"a": '"usage":{}'}}
    event = json.dumps({"type": "response.completed", "response": response, "sequence_number": 4})
    reading, most = _fed(f"event: response.completed\ndata: {event}\n\n".encode())
    assert reading.usage == Usage(input_tokens=5, output_tokens=2)
    assert reading.terminal
    assert most < 2 * stream_module.MAX_EVENT


def test_events_behind_one_beyond_the_bound_are_read() -> None:
    image = (
        b'data: {"type":"response.image_generation_call.partial_image","b64":"' + b"A" * 3_000_000 + b'"}\n\n'
    )
    reading, most = _fed(_chunk({"content": "ab"}) + image + _chunk({"content": "cd"}) + _usage_chunk(1, 2))
    assert reading.delivered_tokens(Characters()) == 4
    assert reading.usage == Usage(input_tokens=1, output_tokens=2)
    assert most < 2 * stream_module.MAX_EVENT


def test_text_beyond_the_bound_is_counted_at_the_rate_of_what_was_kept() -> None:
    event = _chunk({"content": "word " * 100})
    reading, most = _fed(event * 2000)
    assert reading.output.kept == output_module.MAX_KEPT
    assert not reading.output.whole
    assert reading.delivered_tokens(Characters()) == 1_000_000
    assert most < 4 * output_module.MAX_KEPT


def test_an_output_of_nothing_counts_nothing() -> None:
    assert Output().count(Characters()) == 0
