from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.usage import Usage
from proxy.meter.answer import JsonAnswer
from proxy.meter.metering import Metered, Request
from proxy.meter.videos import videos


class Nothing:
    def count(self, text: str) -> int:
        raise AssertionError("no text is counted here")


def metered(fields: dict[str, Any], answer: dict[str, Any] | None = None) -> Metered:
    made = JsonAnswer()
    if answer is not None:
        made.feed(json.dumps(answer).encode())
    return videos(Request("sora-2", fields), made, Nothing())


@pytest.mark.parametrize(
    ("fields", "kind", "seconds"),
    [
        ({}, "video_second_720p", 4),
        ({"seconds": "8", "size": "1280x720"}, "video_second_720p", 8),
        ({"seconds": 12, "size": "1024x1792"}, "video_second_1024p", 12),
        ({"seconds": "8", "size": "9x9"}, "video_second_1024p", 8),
        ({"seconds": "many"}, "video_second_720p", 20),
        ({"seconds": [8]}, "video_second_720p", 20),
    ],
)
def test_a_video_that_is_not_finished_comes_to_what_was_asked_for(
    fields: dict[str, Any], kind: str, seconds: int
) -> None:
    queued = {"id": "video_1", "object": "video", "status": "queued", "seconds": "4", "size": "720x1280"}
    for answer in (None, queued):
        assert metered(fields, answer) == Metered(Usage(quantities={kind: seconds}), "unknown")


def test_a_finished_video_says_what_it_is() -> None:
    done = {"id": "video_1", "object": "video", "status": "completed", "seconds": "4", "size": "1792x1024"}
    assert metered({"seconds": "8"}, done) == Metered(Usage(quantities={"video_second_1024p": 4}), "provider")


def test_a_video_that_failed_costs_nothing() -> None:
    failed = {"id": "video_1", "object": "video", "status": "failed", "seconds": "4", "size": "720x1280"}
    assert metered({}, failed) == Metered(Usage(), "provider")
