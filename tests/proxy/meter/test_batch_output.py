from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.usage import Usage
from proxy.meter import batch_output as module
from proxy.meter.batch_output import BatchLine, BatchOutput, read_line

CHAT = "/v1/chat/completions"
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def line(number: int, status: int = 200, body: Any = None, error: Any = None) -> bytes:
    body = {"model": "gpt-4o-mini-2024-07-18", "usage": USAGE} if body is None else body
    response = {"status_code": status, "request_id": "r", "body": body}
    entry = {"id": f"batch_req_{number}", "custom_id": f"own-{number}", "response": response, "error": error}
    return json.dumps(entry).encode() + b"\n"


def used(number: int) -> BatchLine:
    return BatchLine(
        f"batch_req_{number}", f"own-{number}", "gpt-4o-mini-2024-07-18", CHAT, Usage(5, output_tokens=2)
    )


def batch_output(pieces: Iterable[bytes], endpoint: str) -> list[BatchLine]:
    output = BatchOutput(endpoint)
    return [*(found for piece in pieces for found in output.feed(piece)), *output.finish()]


def test_each_answered_line_says_what_it_used() -> None:
    assert batch_output([line(1) + line(2)], CHAT) == [used(1), used(2)]


def test_lines_with_errors_cost_nothing() -> None:
    failed = json.dumps(
        {"id": "b", "custom_id": "c", "response": None, "error": {"code": "batch_expired"}}
    ).encode()
    assert batch_output([line(1, 429), failed + b"\n", b"\n", b"no json\n", line(2)], CHAT) == [used(2)]


def test_the_last_line_needs_no_end() -> None:
    assert batch_output([line(1), line(2).rstrip()], CHAT) == [used(1), used(2)]


@given(st.lists(st.integers(0, 1000), max_size=8))
def test_the_lines_are_the_same_however_the_file_is_cut(cuts: list[int]) -> None:
    file = line(1) + line(2, 500) + line(3)
    at = sorted({cut % len(file) for cut in cuts} | {0, len(file)})
    pieces = [file[start:end] for start, end in pairwise(at)]
    assert batch_output(pieces, CHAT) == [used(1), used(3)]


def test_a_line_without_usage_is_not_passed_over() -> None:
    (found,) = batch_output([line(1, body={"model": "m"})], CHAT)
    assert (found.model, found.usage) == ("m", None)


def test_a_line_too_long_to_be_read_is_not_passed_over_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 1000)
    output = BatchOutput(CHAT)
    for _ in range(100):
        assert list(output.feed(b"x" * 100)) == []
        assert sum(map(len, output._pieces)) <= 1000
    assert [found.usage for found in output.feed(b"\n" + line(1))] == [None, Usage(5, output_tokens=2)]


def test_tools_and_pictures_of_a_batch_count_as_elsewhere() -> None:
    usage = {"input_tokens": 3, "output_tokens": 9, "total_tokens": 12}
    files = {"type": "file_search_call", "status": "completed"}
    (response,) = batch_output([line(1, body={"output": [files], "usage": usage})], "/v1/responses")
    assert response.usage == Usage(3, output_tokens=9, quantities={"file_search_call": 1})
    (image,) = batch_output([line(1, body={"data": [{}], "usage": usage})], "/v1/images/generations")
    assert image.usage == Usage(3, output_tokens=9, image_output_tokens=9)
    (search,) = batch_output([line(1, body={"model": "gpt-5-search-api", "usage": USAGE})], CHAT)
    assert search.usage is not None
    assert search.usage.quantities == {"web_search_call": 1}
    (moderation,) = batch_output([line(1, body={"results": []})], "/v1/moderations")
    assert moderation.usage == Usage()


_odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "response", "status_code", "body", "usage", "model"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(_odd, st.sampled_from([CHAT, "/v1/images/edits", "/v1/responses", ""]))
def test_no_line_raises(entry: Any, endpoint: str) -> None:
    read_line(json.dumps(entry).encode(), endpoint)
    read_line(json.dumps({"response": {"status_code": 200, "body": entry}}).encode(), endpoint)
