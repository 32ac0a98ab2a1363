from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.sse import EventSplitter, data_of, name_of

_noise = st.lists(
    st.sampled_from([b"data: a", b"\n", b"\r", b"\r\n", b"\n\n", b":x", b"\xc3", b"\xa9", b"event: e"]),
    max_size=40,
)


def _split(stream: bytes, cuts: list[int]) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    events: list[bytes] = []
    start = 0
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        events += splitter.feed(stream[start:cut])
        start = cut
    return events, splitter.take_rest()


@given(_noise, st.lists(st.integers(0, 10**6), max_size=12))
def test_any_cut_gives_the_same_events_and_loses_nothing(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    whole = _split(stream, [])
    assert _split(stream, cuts) == whole
    assert b"".join(whole[0]) + whole[1] == stream
    assert _split(stream, list(range(len(stream)))) == whole


def test_events_end_at_a_blank_line_of_any_kind() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        stream = b"data: a" + end + end + b"data: b" + end + end + b"data: c"
        events, rest = _split(stream, [])
        assert [data_of(event) for event in events] == [b"a", b"b"]
        assert data_of(rest) == b"c"


def test_a_cut_anywhere_in_line_ends_is_no_boundary() -> None:
    for end in (b"\n", b"\r\n", b"\r", b"\n\r\n", b"\r\n\n"):
        stream = b"data: a" + end + end + b"data: b" + end + end
        whole = _split(stream, [])
        assert all(_split(stream, [cut]) == whole for cut in range(len(stream)))


def test_data_is_read_as_the_standard_says() -> None:
    assert data_of(b"data:x\n\n") == b"x"
    assert data_of(b"data:  x\n\n") == b" x"
    assert data_of(b": note\ndata: x\nid: 7\n\n") == b"x"
    assert data_of(b"data: x\ndata: y\n\n") == b"x\ny"
    assert data_of(b"data: x\r\ndata: y\r\n\r\n") == b"x\ny"
    assert data_of(b"data\n\n") == b""
    assert data_of(b": ping\n\n") == b""


def test_the_name_is_the_last_given() -> None:
    assert name_of(b"event: a\ndata: x\n\n") == b"a"
    assert name_of(b"data: x\n\n") == b""


def test_recorded_streams_are_put_together_again(streams: list[dict[str, Any]]) -> None:
    for row in streams:
        events, rest = _split(row["raw"], list(range(0, len(row["raw"]), 7)))
        assert b"".join(events) + rest == row["raw"]
        assert len(events) >= row["raw"].count(b"\ndata: ") // 2
