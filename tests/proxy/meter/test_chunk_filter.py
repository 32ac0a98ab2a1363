from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.meter import chunk_filter
from proxy.meter.chunk_filter import ChunkFilter


def _filter(stream: bytes, cuts: list[int] | None = None) -> bytes:
    chunks = ChunkFilter()
    out, start = b"", 0
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts or []), len(stream)]:
        out += chunks.feed(stream[start:cut])
        start = cut
    return out + chunks.flush()


def _unasked(stream: bytes) -> bytes:
    """The stream as the upstream sends it unasked, made by decoding each event."""
    events = []
    for event in stream.split(b"\n\n")[:-1]:
        data = event.removeprefix(b"data: ")
        if data != b"[DONE]":
            payload = orjson.loads(data)
            if payload["choices"] == [] and payload.get("usage"):
                continue
            if "usage" in payload:
                assert payload["usage"] is None
                removed = (
                    re.sub(rb'^(.*?)"usage":null,?', rb"\1", data)
                    if data.count(b'"usage":null') == 1
                    else data
                )
                event = b"data: " + removed.replace(b",}", b"}")
                del payload["usage"]
                assert orjson.loads(event[6:]) == payload
                assert list(orjson.loads(event[6:])) == list(payload)
        events.append(event + b"\n\n")
    return b"".join(events)


def test_recorded_streams_come_out_as_if_unasked(streams: list[dict[str, Any]]) -> None:
    asked = 0
    for row in streams:
        if "chat/completions" not in row["endpoint"]:
            continue
        raw = row["raw"]
        expected = _unasked(raw)
        for cuts in ([], list(range(len(raw))), list(range(0, len(raw), 37))):
            assert _filter(raw, cuts) == expected, row["id"]
        assert b'"usage":null' not in expected
        asked += b'"usage":null' in raw
    assert asked > 30


def test_recorded_streams_without_usage_pass_untouched(streams: list[dict[str, Any]]) -> None:
    rows = [row for row in streams if b'"usage"' not in row["raw"]]
    assert len(rows) >= 10
    for row in rows:
        assert _filter(row["raw"], [7, 100, 1000]) == row["raw"]


def _event(text: str) -> bytes:
    return f"data: {text}\n\n".encode()


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        ('{"choices":[1],"usage":null}', '{"choices":[1]}'),
        ('{"choices":[1],"usage":null,"obfuscation":"aB"}', '{"choices":[1],"obfuscation":"aB"}'),
        ('{"usage":null,"choices":[1]}', '{"choices":[1]}'),
        (
            '{"id":1,"usage":null,"choices":[{"delta":{"content":"x"}}]}',
            '{"id":1,"choices":[{"delta":{"content":"x"}}]}',
        ),
        ('{"choices": [1], "usage": null}', '{"choices": [1]}'),
        ('{"usage":null}', "{}"),
        # usage in every chunk: the chunk stays
        ('{"choices":[1],"usage":{"prompt_tokens":1}}', '{"choices":[1]}'),
        ('{"choices":[1],"usage":{"a":{"b":"}"}},"x":1}', '{"choices":[1],"x":1}'),
        # Azure's first chunk
        (
            '{"choices":[],"id":"","prompt_filter_results":[]}',
            '{"choices":[],"id":"","prompt_filter_results":[]}',
        ),
        ('{"choices":[],"moderation":{"usage":1},"usage":null}', '{"choices":[],"moderation":{"usage":1}}'),
        # deeper, or text
        ('{"choices":[{"delta":{"usage":null}}]}', '{"choices":[{"delta":{"usage":null}}]}'),
        ('{"choices":[{"a":1,"usage":null}]}', '{"choices":[{"a":1,"usage":null}]}'),
        ('{"a":{"b":1,"usage":null}}', '{"a":{"b":1,"usage":null}}'),
        ('{"choices":["a,\\"usage\\":null}"]}', '{"choices":["a,\\"usage\\":null}"]}'),
        ('{"choices":[1],"b":"usage"}', '{"choices":[1],"b":"usage"}'),
        ('{"choices":["usage",null]}', '{"choices":["usage",null]}'),
        # not JSON
        ("[DONE]", "[DONE]"),
        ('{"usage":null', '{"usage":null'),
        (',"usage":null', ',"usage":null'),
    ],
)
def test_one_event(sent: str, passed: str) -> None:
    assert _filter(_event(sent)) == _event(passed)
    assert _filter(_event(sent).replace(b"\n", b"\r\n")) == _event(passed).replace(b"\n", b"\r\n")


def test_the_usage_chunk_is_removed() -> None:
    for usage_chunk in (
        '{"choices":[],"usage":{"prompt_tokens":1}}',
        '{"choices": [ ], "usage": {"prompt_tokens": 1}, "obfuscation": "x"}',
        '{"usage":{"prompt_tokens":1},"choices":[]}',
    ):
        assert _filter(_event('{"choices":[1]}') + _event(usage_chunk) + _event("[DONE]")) == _event(
            '{"choices":[1]}'
        ) + _event("[DONE]")


def test_a_usage_chunk_at_the_end_is_removed_whole_or_cut() -> None:
    chunk = _event('{"choices":[],"usage":{"prompt_tokens":1}}')
    for end in (len(chunk) - 1, len(chunk) - 2, len(chunk) - 5):
        assert _filter(chunk[:end]) == b""


def test_a_last_event_without_blank_line_is_filtered() -> None:
    assert _filter(b'data: {"choices":[1],"usage":null}') == b'data: {"choices":[1]}'
    assert _filter(b'data: {"choices":[1],"usage":null}\n') == b'data: {"choices":[1]}\n'


def test_comments_and_names_stay() -> None:
    stream = b': ping\n\nevent: x\ndata: {"choices":[1],"usage":null}\nid: 3\n\n'
    assert _filter(stream) == stream.replace(b',"usage":null', b"")


def test_data_over_several_lines_is_filtered() -> None:
    stream = b'data: {"choices":[1],\ndata: "usage":null}\n\n'
    filtered = _filter(stream)
    assert json.loads(b"".join(line.removeprefix(b"data: ") for line in filtered.splitlines())) == {
        "choices": [1]
    }
    assert filtered.endswith(b"\n\n")


def test_whole_events_are_not_held_back() -> None:
    chunks = ChunkFilter()
    assert chunks.feed(b'data: {"choices":[1],"usage":null}\n\ndata: {') == b'data: {"choices":[1]}\n\n'
    assert chunks.feed(b"}\n\n") == b"data: {}\n\n"
    assert chunks.flush() == b""


def test_an_event_beyond_the_bound_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_filter, "MAX_EVENT", 64)
    large = _event('{"choices":["' + "x" * 500 + '"]}')
    chunks = ChunkFilter()
    out = b"".join(chunks.feed(large[at : at + 10]) for at in range(0, 300, 10))
    assert len(out) > 250
    stream = large + _event('{"choices":[1],"usage":null}')
    assert _filter(stream, list(range(0, len(stream), 10))) == large + _event('{"choices":[1]}')


_contents = st.text(alphabet=st.sampled_from(list('"\\,:{}[]usagenl é漢\n')), max_size=30) | st.sampled_from(
    ['","usage":null}', '\\","usage":null,"obfuscation":"a"}', '"usage":{}', "usage"]
)
_chunks = st.builds(
    lambda text, usage, last, spaced: (
        {"choices": [{"index": 0, "delta": {"content": text}}]},
        usage,
        last,
        spaced,
    ),
    _contents,
    st.sampled_from(["none", "null", "some"]),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=200)
@given(st.lists(_chunks, max_size=6), st.lists(st.integers(0, 10**6), max_size=20))
def test_only_the_usage_member_goes_whatever_the_text_and_the_cuts(
    chunks: list[Any], cuts: list[int]
) -> None:
    sent = passed = b""
    for chunk, usage, last, spaced in chunks:
        separators = (", ", ": ") if spaced else (",", ":")
        member = {} if usage == "none" else {"usage": None if usage == "null" else {"prompt_tokens": 1}}
        full = {**chunk, **member} if last else {**member, **chunk}
        full["obfuscation"] = chunk["obfuscation"] = "Zz"
        sent += _event(json.dumps(full, separators=separators, ensure_ascii=False))
        passed += _event(json.dumps(chunk, separators=separators, ensure_ascii=False))
    assert _filter(sent, cuts) == passed
