from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.meter.bounds import output_bound


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("gpt-4o", 16_384),
        ("gpt-4o-2024-05-13", 4_096),
        ("gpt-4.1-nano", 32_768),
        ("gpt-5-mini", 128_000),
        ("o3", 100_000),
        ("gpt-4-0613", 8_192),
        ("gpt-4-turbo", 4_096),
        ("gpt-3.5-turbo", 4_096),
        ("unknown", 16_384),
    ],
)
def test_an_unbounded_answer_takes_the_bound_of_its_model(model: str, most: int) -> None:
    assert output_bound("/v1/chat/completions", {}, model) == most
    assert output_bound("/v1/responses", {}, model) == most


@pytest.mark.parametrize(
    ("endpoint", "request_", "bound"),
    [
        ("/v1/chat/completions", {"max_completion_tokens": 50, "n": 3}, 150),
        ("/v1/chat/completions", {"max_tokens": 50}, 50),
        ("/v1/chat/completions", {"max_tokens": None, "n": None}, 16_384),
        ("/v1/chat/completions", {"max_tokens": "7", "n": -2}, 16_384),
        ("/v1/chat/completions", {"max_tokens": True}, 16_384),
        ("/v1/responses", {"max_output_tokens": 20, "n": 5}, 20),
        ("/v1/completions", {}, 16),
        ("/v1/completions", {"max_tokens": 5, "n": 2, "best_of": 4}, 20),
        ("/v1/completions", {"max_tokens": 5, "prompt": ["a", "b"]}, 10),
        ("/v1/completions", {"max_tokens": 5, "prompt": [1, 2, 3]}, 5),
        ("/v1/completions", {"max_tokens": 5, "prompt": [[1, 2], [3]]}, 10),
        ("/v1/embeddings", {"max_tokens": 5}, 0),
    ],
)
def test_what_the_request_allows(endpoint: str, request_: dict[str, Any], bound: int) -> None:
    assert output_bound(endpoint, request_, "gpt-4o") == bound


def test_no_recorded_answer_passed_its_bound(corpus: list[dict[str, Any]]) -> None:
    checked = 0
    for row in corpus:
        usage = row["usage"]
        if usage is None or row["method"] != "POST" or row["request_body_b64"]:
            continue
        if not row["endpoint"].endswith(("completions", "responses", "embeddings")):
            continue
        request = json.loads(row["request_body"])
        bound = output_bound(row["endpoint"], request, row["model"] or "")
        assert usage.get("completion_tokens", usage.get("output_tokens", 0)) <= bound, row["id"]
        checked += 1
    assert checked > 250
