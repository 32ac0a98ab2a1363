from __future__ import annotations

from typing import Any

import pytest

from proxy.meter.multipart import Form
from proxy.meter.pictures import pictures_given

PLAIN, FAITHFUL = 1097, 7337


def form(*names: str) -> Form:
    return Form(files=[(name, memoryview(b"x")) for name in names])


@pytest.mark.parametrize(
    ("model", "request_", "given", "tokens"),
    [
        ("gpt-image-1", {}, form("image"), PLAIN),
        ("gpt-image-1", {}, form("image[]", "image[]", "mask"), 3 * PLAIN),
        ("gpt-image-1.5", {"input_fidelity": "low"}, form("image"), PLAIN),
        ("gpt-image-1.5", {"input_fidelity": "high"}, form("image"), FAITHFUL),
        ("gpt-image-2", {}, form("image[0]"), FAITHFUL),
        ("gpt-image-1", {"images": [{"file_id": "a"}, {"image_url": "b"}], "mask": {}}, None, 3 * PLAIN),
        ("gpt-image-1", {}, form("other"), 0),
        ("gpt-image-1", {}, None, 0),
        ("dall-e-2", {"model": "dall-e-2"}, form("image"), 0),
        ("dall-e-2", {}, form("image"), FAITHFUL),
    ],
)
def test_pictures_are_bound_by_their_number_and_fidelity(
    model: str, request_: dict[str, Any], given: Form | None, tokens: int
) -> None:
    assert pictures_given(model, request_, given) == tokens
