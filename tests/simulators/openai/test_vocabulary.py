"""Prose has exactly the tokens it claims, however far it got."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.openai.completion import Wish, complete
from simulators.openai.vocabulary import Vocabularies
from tests.simulators.openai.running import Running

VOCABULARIES = Vocabularies(Path(__file__).resolve().parents[3] / "config" / "encodings")
MODELS = ["gpt-4o", "gpt-3.5-turbo"]


@pytest.mark.parametrize("model", MODELS)
@given(seed=st.binary(min_size=32, max_size=32), length=st.integers(0, 400))
def test_every_beginning_of_prose_has_as_many_tokens_as_pieces(model: str, seed: Any, length: int) -> None:
    vocabulary = VOCABULARIES.of(model)
    pieces = vocabulary.prose(seed, length)
    assert len(pieces) == length
    assert vocabulary.count("".join(piece.text for piece in pieces)) == length


@pytest.mark.parametrize("model", MODELS)
@given(text=st.text())
def test_pieces_of_any_text_give_the_text_and_its_tokens(model: str, text: str) -> None:
    vocabulary = VOCABULARIES.of(model)
    pieces = vocabulary.pieces(text)
    assert "".join(piece.text for piece in pieces) == text
    assert sum(piece.tokens for piece in pieces) == vocabulary.count(text)


@given(
    seed=st.binary(min_size=32, max_size=32),
    wish=st.builds(
        Wish,
        tokens=st.integers(0, 80),
        cap=st.none() | st.integers(1, 60),
        reasoning=st.integers(0, 70),
        stop=st.lists(st.sampled_from([".", " the", "\n", '"', "café"]), max_size=2),
        json=st.booleans(),
    ),
)
def test_a_completion_keeps_its_cap_and_counts_its_own_text(seed: Any, wish: Wish) -> None:
    vocabulary = VOCABULARIES.of("gpt-4o")
    completion = complete(vocabulary, seed, wish)
    assert completion.visible_tokens == vocabulary.count(completion.text)
    assert wish.cap is None or completion.tokens <= wish.cap
    assert not any(sign in completion.text for sign in wish.stop)
    assert complete(vocabulary, seed, wish) == completion


def test_each_family_counts_with_its_own_vocabulary() -> None:
    own = {model: VOCABULARIES.of(model) for model in ("gpt-4", "gpt-4o", "gpt-4.1", "ft:gpt-4o:a::b", "o3")}
    assert own["gpt-4"] is VOCABULARIES.of("text-embedding-3-small")
    assert own["gpt-4o"] is own["gpt-4.1"] is own["ft:gpt-4o:a::b"] is own["o3"] is not own["gpt-4"]


def test_another_seed_gives_another_answer(simulator: Running, start: Callable[..., Running]) -> None:
    other = start("--seed", "7")
    texts = {each.chat().json()["choices"][0]["message"]["content"] for each in (simulator, other)}
    assert len(texts) == 2
