"""How many of the recorded prompts are counted exactly as OpenAI counted them, by kind of call."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

import pytest

from proxy.meter.prompt import count_prompt
from proxy.meter.tokenizer import Tokenizers

_REACHED = {
    "chat plain": (33, 34),
    "chat legacy functions": (2, 2),
    "chat tools": (58, 62),
    "chat json_schema": (15, 15),
    "chat image": (5, 5),
    "responses plain": (20, 20),
    "responses tools": (28, 30),
    "responses json_schema": (11, 11),
    "responses image": (1, 1),
    "responses of the first weeks": (0, 7),
    "embeddings": (14, 14),
    "completions": (2, 2),
}
"""Exact counts and calls. The recorded calls are one of each kind of case, so that rare kinds weigh as much as the
common ones. What is missed: a deployment called gpt-35-turbo that is the version of March 2023 (one more a message),
past calls that were made in parallel, and single schemas, by a token or two."""

_PUBLISHED = {"plain": 0.94, "tools": 0.82, "json_schema": 0.86, "image": 0.92}
"""The shares that a formula from the known facts reaches on all traffic. Of plain messages to chats 0.996: the one of
34 that is missed here is of no model that is still served."""

_APRIL_2025 = 1743465600
"""Until then every response, on whatever input, was counted 18 tokens higher, more where tools were strict; no call
since was."""
_CREATED = re.compile(r'"created_at":\s*(\d+)')
_APART = ("file_in", "audio_in", "web_search_options", "previous_response_id")


def _kind(row: dict[str, Any]) -> str | None:
    """None for what nobody can know beforehand."""
    tags, body = row["tags"], row["request_body"]
    if any(tag in tags for tag in _APART) or any(tag.startswith("tool:") for tag in tags):
        return None
    if "embeddings" in row["endpoint"]:
        return "embeddings"
    if row["endpoint"].endswith("chat/completions"):
        family = "chat"
    elif row["endpoint"].endswith("/responses"):
        family = "responses"
    else:
        return "completions" if row["endpoint"].endswith("/completions") else None
    if "vision" in tags:
        return f"{family} image" if "data:image" in body else None
    if '"conversation"' in body or '"encrypted_content"' in body or row["usage"].get("total_tokens") == 0:
        return None
    created = _CREATED.search(row["response_body"])
    if family == "responses" and created is not None and int(created[1]) < _APRIL_2025:
        return "responses of the first weeks"
    if "json_schema" in tags:
        return f"{family} json_schema"
    if "functions_legacy" in tags:
        return f"{family} legacy functions"
    return f"{family} {'tools' if 'tools' in tags else 'plain'}"


@pytest.fixture(scope="module")
def reached(corpus: list[dict[str, Any]], tokenizers: Tokenizers) -> dict[str, tuple[int, int]]:
    right: dict[str, list[bool]] = defaultdict(list)
    for row in corpus:
        if row["usage"] is None or row["request_body_b64"] or row["method"] != "POST":
            continue
        kind = _kind(row)
        if kind is None or row["model"] == "ada":  # its vocabulary is not shipped
            continue
        request = json.loads(row["request_body"])
        try:
            model = json.loads(row["response_body"])["model"]
        except ValueError:
            model = row["model"]
        truth = row["usage"].get("prompt_tokens", row["usage"].get("input_tokens"))
        right[kind].append(count_prompt(row["endpoint"], request, model, tokenizers).tokens == truth)
    return {kind: (sum(hits), len(hits)) for kind, hits in right.items()}


def test_recorded_prompts_are_counted_as_openai_counted_them(reached: dict[str, tuple[int, int]]) -> None:
    assert reached == _REACHED


def test_no_kind_falls_behind_the_published_shares(reached: dict[str, tuple[int, int]]) -> None:
    shares = {kind: exact / of for kind, (exact, of) in reached.items() if "first weeks" not in kind}
    behind = {
        kind: share for kind, share in shares.items() if share < _PUBLISHED.get(kind.partition(" ")[2], 0.99)
    }
    assert behind == {}
