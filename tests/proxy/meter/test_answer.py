"""What an answer says of its usage: whole, cut off, or compressed."""

import gzip
import zlib
from collections.abc import Callable

import brotli
import orjson
import pytest

from proxy.meter.answer import JsonAnswer
from proxy.meter.encoding import decoder_for
from proxy.meter.tokenizer import Tokenizers

BODY = orjson.dumps(
    {
        "choices": [{"message": {"role": "assistant", "content": "one two three " * 20}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 60},
    }
)


def fed(body: bytes) -> JsonAnswer:
    answer = JsonAnswer()
    for start in range(0, len(body), 7):
        answer.feed(body[start : start + 7])
    return answer


def test_a_whole_answer_has_its_usage_and_is_not_partial(tokenizers: Tokenizers) -> None:
    answer = fed(BODY)
    assert answer.usage is not None
    assert answer.usage.output_tokens == 60
    assert not answer.partial


def test_half_an_answer_is_counted_as_the_text_it_is(tokenizers: Tokenizers) -> None:
    answer = fed(BODY[:150])
    assert answer.usage is None
    assert answer.partial
    assert answer.output.count(tokenizers.named("o200k_base")) > 20


def test_no_answer_is_nothing(tokenizers: Tokenizers) -> None:
    answer = fed(b"")
    assert not answer.partial
    assert answer.output.count(tokenizers.named("o200k_base")) == 0


@pytest.mark.parametrize(
    ("encoding", "fold"),
    [
        (b"gzip", gzip.compress),
        (b" GZIP ", gzip.compress),
        (b"deflate", zlib.compress),
        (b"br", brotli.compress),
    ],
)
def test_a_compressed_answer_is_read_in_any_pieces(encoding: bytes, fold: object) -> None:
    assert callable(fold)
    decoder = decoder_for(encoding)
    assert decoder is not None
    folded = fold(BODY)
    assert b"".join(decoder.decode(folded[i : i + 5]) for i in range(0, len(folded), 5)) == BODY


@pytest.mark.parametrize(("encoding", "fold"), [(b"gzip", gzip.compress), (b"br", brotli.compress)])
def test_what_unfolds_to_too_much_is_refused(encoding: bytes, fold: Callable[[bytes], bytes]) -> None:
    decoder = decoder_for(encoding)
    assert decoder is not None
    with pytest.raises(ValueError, match="too much"):
        decoder.decode(fold(bytes(64 * 1024 * 1024)))


@pytest.mark.parametrize(("encoding", "reason"), [(b"gzip", "incorrect header"), (b"br", "decoder")])
def test_what_is_not_of_the_encoding_is_refused(encoding: bytes, reason: str) -> None:
    decoder = decoder_for(encoding)
    assert decoder is not None
    with pytest.raises(ValueError, match=reason):
        decoder.decode(b"\xff" + BODY)


def test_an_encoding_that_is_not_known_is_said_to_be() -> None:
    assert decoder_for(b"zstd") is None
    assert decoder_for(b"gzip, br") is None
