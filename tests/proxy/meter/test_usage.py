from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.usage import Usage
from proxy.meter.usage import read_usage


def test_chat_usage_is_read_with_its_details() -> None:
    assert read_usage(
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 3, "cache_write_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 2},
        }
    ) == Usage(
        input_tokens=100,
        cached_input_tokens=64,
        cache_write_tokens=5,
        output_tokens=20,
        reasoning_tokens=12,
        audio_input_tokens=3,
        audio_output_tokens=2,
    )


def test_responses_usage_is_read_with_its_details() -> None:
    usage = read_usage(
        {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 16,
        }
    )
    assert usage == Usage(input_tokens=9, cached_input_tokens=4, output_tokens=7, reasoning_tokens=1)
    assert usage.total_tokens == 16


def test_embeddings_have_no_output() -> None:
    assert read_usage({"prompt_tokens": 5, "total_tokens": 5}) == Usage(input_tokens=5)


def test_images_are_told_from_text() -> None:
    usage = read_usage(
        {
            "input_tokens": 50,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
            "output_tokens": 4160,
            "output_tokens_details": {"image_tokens": 4160, "text_tokens": 0},
        }
    )
    assert usage == Usage(
        input_tokens=50, image_input_tokens=40, output_tokens=4160, image_output_tokens=4160
    )


def test_transcriptions_report_tokens_or_seconds() -> None:
    tokens = {"type": "tokens", "input_tokens": 14, "input_token_details": {"audio_tokens": 14}}
    assert read_usage({**tokens, "output_tokens": 45, "total_tokens": 59}) == Usage(
        input_tokens=14, audio_input_tokens=14, output_tokens=45
    )
    assert read_usage({"type": "duration", "seconds": 9}) == Usage(quantities={"seconds": 9})


def test_cached_audio_is_told_from_cached_text() -> None:
    details = {"cached_tokens": 8, "cached_tokens_details": {"text_tokens": 5, "audio_tokens": 3}}
    usage = read_usage({"input_tokens": 9, "output_tokens": 0, "input_token_details": details})
    assert usage is not None
    assert usage.quantities == {"cached_audio_tokens": 3}


def test_explicit_zero_is_not_missing() -> None:
    assert read_usage({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}) == Usage()


@pytest.mark.parametrize("absent", [None, {}, [], "12", 12, True, {"total_tokens": 3}])
def test_absent_usage_is_none(absent: Any) -> None:
    assert read_usage(absent) is None


@pytest.mark.parametrize("bad", [-1, "7", True, 1.5, 10**12 + 1, float("nan"), float("inf"), [], {}])
@pytest.mark.parametrize("place", ["prompt_tokens", "completion_tokens", "total_tokens"])
def test_a_garbled_count_refuses_the_whole(bad: Any, place: str) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert read_usage({**usage, place: bad}) is None


def test_a_garbled_detail_refuses_the_whole() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    assert read_usage({**usage, "prompt_tokens_details": {"cached_tokens": "1"}}) is None
    assert read_usage({**usage, "prompt_tokens_details": 7}) is None


def test_a_part_never_exceeds_its_whole() -> None:
    usage = read_usage(
        {
            "prompt_tokens": 5,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 9},
            "completion_tokens_details": {"reasoning_tokens": 3},
        }
    )
    assert usage == Usage(input_tokens=5, cached_input_tokens=5, output_tokens=2, reasoning_tokens=2)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(
            ["prompt_tokens", "input_tokens", "prompt_tokens_details", "cached_tokens", "seconds"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)


@given(_json)
def test_reading_never_raises(payload: Any) -> None:
    usage = read_usage(payload)
    assert usage is None or usage.total_tokens >= 0


def test_every_recorded_usage_is_read_in_full(corpus: list[dict[str, Any]]) -> None:
    read = 0
    for row in corpus:
        reported = row["usage"]
        if reported is None:
            continue
        usage = read_usage(reported)
        assert usage is not None, row["id"]
        assert usage.total_tokens == reported["total_tokens"], row["id"]
        details = reported.get("prompt_tokens_details") or reported.get("input_tokens_details") or {}
        assert usage.cached_input_tokens == (details.get("cached_tokens") or 0), row["id"]
        read += 1
    assert read > 290


_COUNTS = st.one_of(st.none(), st.integers(-3, 50), st.booleans(), st.floats(allow_nan=False), st.just("x"))


def _details(*names: str) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.just([]), st.dictionaries(st.sampled_from(names), _COUNTS))


@given(
    st.dictionaries(
        st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "other"]),
        _COUNTS,
    ),
    _details("cached_tokens", "audio_tokens", "image_tokens"),
    _details("reasoning_tokens", "audio_tokens", "image_tokens"),
)
def test_the_usual_shape_is_read_the_same_in_short(counts: dict[str, Any], into: Any, out: Any) -> None:
    payload = counts | {"prompt_tokens_details": into, "completion_tokens_details": out}
    # A name that nobody knows makes it an unusual one.
    assert read_usage(payload) == read_usage(payload | {"unheard_of": None})
