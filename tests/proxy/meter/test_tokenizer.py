from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy.meter.models import EncodingName
from proxy.meter.tokenizer import LONGEST_PIECE, EncodingError, Tokenizers

_BOTH: tuple[EncodingName, ...] = ("cl100k_base", "o200k_base")


def test_both_vocabularies_count_as_published(tokenizers: Tokenizers) -> None:
    text = "antidisestablishmentarianism"
    assert [tokenizers.named(name).count(text) for name in _BOTH] == [6, 6]
    text = "お誕生日おめでとう"
    assert [tokenizers.named(name).count(text) for name in _BOTH] == [9, 8]
    assert tokenizers.named("cl100k_base").count("tiktoken is great!") == 6


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-3.5-turbo-0125", "cl100k_base"),
        ("gpt-35-turbo", "cl100k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo-2024-04-09", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("davinci-002", "cl100k_base"),
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-4.5-preview", "o200k_base"),
        ("o1", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("gpt-5.6-sol", "o200k_base"),
        ("ft:gpt-3.5-turbo-0125:org::abc", "cl100k_base"),
        ("ft:gpt-4o-mini-2024-07-18:org:name:abc", "o200k_base"),
        ("something-else", "o200k_base"),
        ("", "o200k_base"),
    ],
)
def test_each_model_has_its_vocabulary(model: str, name: str, tokenizers: Tokenizers) -> None:
    assert tokenizers.for_model(model).name == name


def test_names_of_special_tokens_are_text(tokenizers: Tokenizers) -> None:
    for name in _BOTH:
        assert tokenizers.named(name).count("<|endoftext|>") > 1


def test_lone_surrogates_are_counted(tokenizers: Tokenizers) -> None:
    assert tokenizers.named("o200k_base").count("a\ud800b") > 0


@pytest.mark.parametrize("run", ["a", " ", "\n", "!", "漢", " \n", "A", "\u0301"])
def test_a_long_run_neither_fails_nor_takes_long(run: str, tokenizers: Tokenizers) -> None:
    for name in _BOTH:
        assert tokenizers.named(name).count(run * (300_000 // len(run))) > 0


def test_a_megabyte_of_spaces_does_not_overflow_the_stack(tokenizers: Tokenizers) -> None:
    for name in _BOTH:
        assert tokenizers.named(name).count(" " * 1_200_000) > 0


def test_a_long_text_counts_as_the_sum_of_its_parts(tokenizers: Tokenizers) -> None:
    sentence = "The quick brown fox jumps over the lazy dog and runs far away from all of it."
    tokenizer = tokenizers.named("o200k_base")
    repeats = 5 * LONGEST_PIECE // len(sentence)
    first, further = tokenizer.count(sentence), tokenizer.count(" " + sentence)
    assert tokenizer.count(" ".join([sentence] * repeats)) == first + further * (repeats - 1)


def test_counting_in_threads_gives_the_same(tokenizers: Tokenizers) -> None:
    tokenizer = tokenizers.named("o200k_base")
    texts = [f"number {n} " * 200 for n in range(40)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(tokenizer.count, texts)) == [tokenizer.count(text) for text in texts]


def test_a_missing_vocabulary_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncodingError, match=r"cl100k_base\.tiktoken can't be read"):
        Tokenizers.load(tmp_path)


def test_a_changed_vocabulary_is_refused(tmp_path: Path) -> None:
    for path in (Path(__file__).resolve().parents[3] / "config" / "encodings").glob("*.tiktoken"):
        shutil.copy(path, tmp_path)
    changed = tmp_path / "o200k_base.tiktoken"
    changed.write_bytes(changed.read_bytes() + b"\n")
    with pytest.raises(EncodingError, match=r"o200k_base\.tiktoken is not the published one"):
        Tokenizers.load(tmp_path)
