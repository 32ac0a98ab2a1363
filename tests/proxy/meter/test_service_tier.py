"""The tier that served an answer is found where its usage is."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from proxy.meter.answer import Answer, JsonAnswer, StreamedAnswer, begins_stream
from proxy.meter.service_tier import SERVED, service_tier_of

USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
CHUNK = {
    "object": "chat.completion.chunk",
    "service_tier": "priority",
    "choices": [{"delta": {"content": "a"}}],
}


def told_by(answer: Answer, data: bytes, step: int = 50) -> str | None:
    for start in range(0, len(data), step):
        answer.feed(data[start : start + step])
    return answer.service_tier


def events(*payloads: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % orjson.dumps(payload) for payload in payloads)


@pytest.mark.parametrize(
    ("answer", "tier"),
    [
        ({"usage": USAGE, "service_tier": "flex"}, "flex"),
        ({"response": {"usage": USAGE, "service_tier": "priority"}}, "priority"),
        ({"service_tier": "auto"}, None),
        ({"service_tier": "batch"}, None),
        ({"service_tier": None, "response": {"service_tier": "default"}}, "default"),
        ({"service_tier": ["flex"]}, None),
        ({"choices": [{"message": {"service_tier": "flex"}}]}, None),
        ([], None),
        (None, None),
    ],
)
def test_an_answer_names_its_tier_at_the_top_or_in_its_response(answer: Any, tier: str | None) -> None:
    assert service_tier_of(answer) == tier
    assert told_by(JsonAnswer(), orjson.dumps(answer)) == tier


def test_a_large_answer_names_it_near_its_end() -> None:
    body = {"id": "x", "output": [{"result": "A" * 300_000}], "service_tier": "flex", "usage": USAGE}
    assert told_by(JsonAnswer(), orjson.dumps(body), 4096) == "flex"


@pytest.mark.parametrize("chunks", [1, 2000])
def test_a_chat_names_it_beside_its_usage(chunks: int) -> None:
    usage = {"choices": [], "usage": USAGE, "service_tier": "default"}
    assert told_by(StreamedAnswer(), events(*[CHUNK] * chunks, usage)) == "default"


@pytest.mark.parametrize("chunks", [1, 2000])
def test_a_chat_that_was_cut_is_of_the_tier_of_its_chunks(chunks: int) -> None:
    assert told_by(StreamedAnswer(), events(*[CHUNK] * chunks)) == "priority"
    assert told_by(StreamedAnswer(), events(*[CHUNK] * chunks)[:-9]) == "priority"


def test_a_text_that_speaks_of_tiers_names_none() -> None:
    chunk = {"choices": [{"delta": {"content": '"service_tier":"flex"'}}]}
    assert told_by(StreamedAnswer(), events(chunk)) is None


@pytest.mark.parametrize("padding", [10, 2_000_000])
def test_a_response_names_it_when_it_has_ended(padding: int) -> None:
    began = {"type": "response.created", "response": {"service_tier": "auto", "usage": None}}
    done = {
        "type": "response.completed",
        "response": {
            "output": ["A" * padding],
            "service_tier": "flex",
            "usage": {"input_tokens": 1, "output_tokens": 2},
        },
    }
    assert told_by(StreamedAnswer(), events(began, done), 65_536) == "flex"
    assert told_by(StreamedAnswer(), events(began)) is None


def test_every_recorded_answer_is_of_the_tier_that_it_named_last(corpus: list[dict[str, Any]]) -> None:
    tried = 0
    for row in corpus:
        named = re.findall(r'"service_tier":\s*"(\w+)"', row["response_body"])
        if not named or row["usage"] is None or row["response_body_b64"]:
            continue
        body = row["response_body"].encode()
        answer: Answer = StreamedAnswer() if begins_stream(body) else JsonAnswer()
        expected = named[-1] if named[-1] in SERVED else None
        assert told_by(answer, body) == expected, row["id"]
        tried += 1
    assert tried > 200
