from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.usage import Usage
from proxy.meter.answer import JsonAnswer, StreamedAnswer
from proxy.meter.image_answers import images
from proxy.meter.image_tokens import image_output_tokens
from proxy.meter.metering import Metered, Request


class Nothing:
    def count(self, text: str) -> int:
        raise AssertionError("no text is counted here")


def metered(model: str, fields: dict[str, Any], answer: Any) -> Metered:
    made = JsonAnswer()
    made.feed(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    return images(Request(model, fields, 5), made, Nothing())


@pytest.mark.parametrize(
    ("model", "fields", "kind"),
    [
        ("dall-e-2", {}, "image_1024x1024"),
        ("dall-e-2", {"size": "256x256"}, "image_256x256"),
        ("dall-e-2", {"size": "7x7"}, "image_1024x1024"),
        ("dall-e-3", {}, "image_standard_1024x1024"),
        ("dall-e-3", {"quality": "hd", "size": "1024x1792"}, "image_hd_1024x1792"),
        ("dall-e-3", {"quality": "hd", "size": "auto"}, "image_hd_1792x1024"),
    ],
)
def test_pictures_of_dall_e_are_counted_by_size_and_quality(
    model: str, fields: dict[str, Any], kind: str
) -> None:
    answer = {"data": [{"url": "a"}, {"url": "b"}]}
    assert metered(model, fields, answer) == Metered(Usage(quantities={kind: 2}), "provider")


@pytest.mark.parametrize(("n", "count"), [(3, 3), ("4", 4), (None, 1), ("x", 1), (True, 1), (10**9, 10)])
def test_an_answer_that_cannot_be_read_costs_what_was_asked_for(n: object, count: int) -> None:
    assert metered("dall-e-2", {"model": "dall-e-2", "n": n}, b"\x00") == Metered(
        Usage(quantities={"image_1024x1024": count}), "unknown"
    )


def test_the_output_of_a_gpt_image_model_is_images_unless_it_says_otherwise() -> None:
    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"text_tokens": 9},
        "output_tokens": 100,
        "total_tokens": 109,
    }
    assert metered("gpt-image-1", {}, {"data": [{}], "usage": usage}) == Metered(
        Usage(9, output_tokens=100, image_output_tokens=100), "provider"
    )
    split = {**usage, "output_tokens_details": {"image_tokens": 60, "text_tokens": 40}}
    assert metered("gpt-image-2", {}, {"data": [{}], "usage": split}).usage.image_output_tokens == 60


def test_a_stream_reports_its_usage_with_the_finished_picture() -> None:
    answer = StreamedAnswer()
    usage = {"input_tokens": 9, "output_tokens": 100, "total_tokens": 109}
    for event in (
        {"type": "image_generation.partial_image", "b64_json": "AA", "partial_image_index": 0},
        {"type": "image_generation.completed", "b64_json": "AA", "usage": usage},
    ):
        answer.feed(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    assert images(Request("gpt-image-1", {}), answer, Nothing()) == Metered(
        Usage(9, output_tokens=100, image_output_tokens=100), "provider"
    )


def test_a_stream_cut_before_the_picture_costs_what_the_picture_would() -> None:
    fields = {"size": "1024x1536", "quality": "medium", "n": 2}
    assert images(Request("gpt-image-1", fields, 5), StreamedAnswer(), Nothing()) == Metered(
        Usage(5, output_tokens=3168, image_output_tokens=3168), "unknown"
    )


def test_a_size_or_quality_that_is_left_open_is_the_dearest() -> None:
    assert image_output_tokens("auto", "auto") == 6240
    assert image_output_tokens("1024x1024", None) == 4160
    assert image_output_tokens([], {}) == 6240


def test_recorded_pictures_are_metered(corpus: list[dict[str, Any]]) -> None:
    found = {
        row["id"]: metered(
            row["model"] or "dall-e-2", json.loads(row["request_body"]), row["response_body"].encode()
        )
        for row in corpus
        if "/images/" in row["endpoint"] and row["response_status"] == 200
    }
    assert [m.source for m in found.values()] == ["provider"] * 3
    assert sum(m.usage.quantities.get("image_256x256", 0) for m in found.values()) == 2
    assert max(m.usage.image_output_tokens for m in found.values()) == 106


@pytest.mark.parametrize(
    ("size", "quality", "tokens"),
    [
        ("1024x1024", "low", 272),
        ("1024x1536", "medium", 1584),
        ("auto", "low", 408),
        (None, None, 6240),
        ("512x512", "low", 408),
        ("2048x2048", "low", 1088),
        ("3840x2160", "high", 32_907),
        ("99999x99999", "high", 32_907),
        ("1024x1024", "max", 16_640),
        ("x", 7, 6240),
    ],
)
def test_larger_and_finer_pictures_are_bound_too(size: object, quality: object, tokens: int) -> None:
    assert image_output_tokens(size, quality) == tokens


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"n": 2}, 2 * 272),
        ({"partial_images": 3}, 272 + 300),
        ({"partial_images": "2", "n": "2"}, 2 * (272 + 200)),
        ({"output_format": "gif"}, 9 * 272),
        ({"output_format": "gif", "frame_count": 16}, 16 * 272),
        ({"frame_count": 16}, 272),
    ],
)
def test_what_was_asked_for_is_bound_where_no_answer_tells(fields: dict[str, Any], tokens: int) -> None:
    asked = {"size": "1024x1024", "quality": "low"} | fields
    assert metered("gpt-image-1", asked, b"").usage.output_tokens == tokens


def test_no_model_is_bound_as_the_dearest_and_counted_as_what_came() -> None:
    assert metered("dall-e-2", {}, b"").usage == Usage(5, output_tokens=6240, image_output_tokens=6240)
    assert metered("dall-e-2", {}, {"data": [{"url": "a"}]}).usage == Usage(quantities={"image_1024x1024": 1})
