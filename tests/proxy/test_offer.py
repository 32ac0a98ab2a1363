"""What is held for a prompt is never less than what the provider then counts."""

import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

import config
from ledger.exchange import Rate
from ledger.rating import Tariff
from proxy.endpoints import asked as body
from proxy.endpoints.catalogue import find
from proxy.foreseen import foresee
from proxy.meter.tokenizer import Tokenizers
from proxy.meter.usage import read_usage
from proxy.offer import offer
from proxy.pricing import Quote

_ROOT = Path(__file__).parents[2]
CORPUS = _ROOT.parent / "shared" / "corpus" / "openai-traffic.jsonl.gz"
PATHS = ("/chat/completions", "/responses", "/embeddings", "/completions")
QUOTE = Quote(None, Tariff((), Decimal(0), "USD"), Rate(date(2026, 11, 20), Decimal("1.15"), "test"))


def test_every_recorded_prompt_fits_into_its_hold() -> None:
    if not CORPUS.exists():
        pytest.skip("the recorded traffic is not beside the repository (../shared/corpus)")
    tokenizers = Tokenizers.load(Path(config.__file__).parent / "encodings")
    tried, too_small = 0, []
    with gzip.open(CORPUS) as lines:
        for line in lines:
            row = orjson.loads(line)
            usage = read_usage(row["usage"])
            path = next((p for p in PATHS if row["endpoint"].partition("?")[0].endswith(p)), None)
            if usage is None or path is None or not isinstance(row["request_body"], str):
                continue
            request = orjson.loads(row["request_body"])
            if not request.get("model"):
                continue  # the deployment in an Azure path stands for it, which is no path of ours
            asked = body.read(find("POST", f"/v1{path}").endpoint, orjson.dumps(request), [])
            held = offer(asked, foresee(asked, tokenizers), QUOTE).demand.input_tokens
            tried += 1
            if held < usage.input_tokens:
                too_small.append((row["id"], held, usage.input_tokens))
    assert tried > 150
    assert too_small == []
