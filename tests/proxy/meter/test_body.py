from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.usage import Usage
from proxy.meter.body import DECODED_WHOLE, usage_of_answer
from proxy.meter.usage import read_usage
from tests.proxy.meter.reading import usage_of_body

_USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
_READ = Usage(input_tokens=3, output_tokens=4)
_LONG = "x" * (DECODED_WHOLE + 1)


def test_usage_stands_at_the_top_or_under_response() -> None:
    assert usage_of_body(json.dumps({"id": "a", "usage": _USAGE}).encode()) == _READ
    assert (
        usage_of_body(json.dumps({"type": "response.completed", "response": {"usage": _USAGE}}).encode())
        == _READ
    )


def test_a_body_without_usage_has_none() -> None:
    for body in (
        b"",
        b"null",
        b"[]",
        b"not json",
        b'{"usage":null}',
        b'{"usage":3}',
        b'{"error":{}}',
        b"\xff\xfe",
    ):
        assert usage_of_body(body) is None


def test_text_that_looks_like_usage_is_not_usage() -> None:
    text = '","usage":{"prompt_tokens":9,"completion_tokens":9}}'
    for filler in ("", _LONG):
        answer = {"choices": [{"message": {"content": filler + text}}], "usage": _USAGE}
        assert usage_of_body(json.dumps(answer).encode()) == _READ
        del answer["usage"]
        assert usage_of_body(json.dumps(answer).encode()) is None


def test_usage_deeper_in_a_large_body_is_not_its_usage() -> None:
    nested = {"data": _LONG, "results": [{"usage": _USAGE}], "last": {"usage": _USAGE}}
    assert usage_of_body(json.dumps(nested).encode()) is None


def test_a_large_body_is_read_wherever_its_usage_stands() -> None:
    for answer in ({"data": _LONG, "usage": _USAGE}, {"usage": _USAGE, "data": _LONG}):
        assert usage_of_body(json.dumps(answer).encode()) == _READ


def test_of_many_documents_none_is_taken_for_the_whole() -> None:
    line = json.dumps({"data": _LONG, "usage": _USAGE}).encode()
    assert usage_of_body(line + b"\n" + line) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_tolerated(noise: bytes) -> None:
    usage_of_body(noise)
    usage_of_body(b'{"a":"' + _LONG.encode() + b'",' + noise)


@given(st.text(max_size=40), st.integers(0, 3))
def test_a_large_body_reads_as_its_decoded_self(text: str, place: int) -> None:
    answer: dict[str, Any] = {"filler": _LONG, "a": text, text: {"usage": _USAGE}}
    entries = list(answer.items())
    entries.insert(place, ("usage", _USAGE))
    answer = dict(entries)
    assert usage_of_body(json.dumps(answer).encode()) == usage_of_answer(answer)


def test_recorded_answers_give_their_recorded_usage(corpus: list[dict[str, Any]]) -> None:
    checked = 0
    for row in corpus:
        if row["stream"] or row["response_body_b64"] or not row["response_body"].startswith("{"):
            continue
        usage = usage_of_body(row["response_body"].encode())
        tokens = None if usage is None else replace(usage, quantities={})
        assert tokens == read_usage(row["usage"]), row["id"]
        checked += 1
    assert checked > 200
