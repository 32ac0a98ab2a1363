from __future__ import annotations

import pytest

from proxy.meter.models import UNKNOWN, Patches, Tiles, family_of


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("ft:gpt-4o-mini-2024-07-18:org::id", "gpt-4o-mini"),
        ("GPT-4O", "gpt-4o"),
        ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
        ("o3-mini", "o3"),
        ("gpt-5.6-sol", "gpt-5.6"),
    ],
)
def test_a_model_belongs_to_the_family_of_the_longest_name(model: str, base: str) -> None:
    assert family_of(model) is family_of(base)


def test_gpt_4_is_told_from_its_successors() -> None:
    assert family_of("gpt-4-0613").era == "cl100k"
    assert family_of("gpt-4-0613").context == 8_192
    assert family_of("gpt-4-turbo").context == 128_000
    assert family_of("gpt-4o").era == family_of("gpt-4.1").era == "o200k"


def test_a_model_that_is_not_known_is_told_from_one_that_is() -> None:
    assert family_of("tomorrow") is family_of("") is UNKNOWN
    assert family_of("gpt-4o") is not UNKNOWN


def test_image_rules_differ_by_model() -> None:
    assert isinstance(family_of("gpt-4o").image, Tiles)
    assert isinstance(family_of("gpt-4.1-nano").image, Patches)
