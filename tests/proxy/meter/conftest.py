"""The recorded traffic and the vocabularies, read once."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.meter.tokenizer import Tokenizers

_ROOT = Path(__file__).resolve().parents[3]
_CORPUS = _ROOT.parent / "shared" / "corpus" / "openai-traffic.jsonl.gz"


@pytest.fixture(scope="session")
def tokenizers() -> Tokenizers:
    return Tokenizers.load(_ROOT / "config" / "encodings")


@pytest.fixture(scope="session")
def corpus() -> list[dict[str, Any]]:
    if not _CORPUS.exists():
        pytest.skip(f"the recorded traffic is not at {_CORPUS}")
    with gzip.open(_CORPUS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def streams(corpus: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The recorded streams that were answered."""
    return [
        {**row, "raw": row["response_body"].encode()}
        for row in corpus
        if row["stream"] and row["response_status"] == 200 and row["response_body"]
    ]
