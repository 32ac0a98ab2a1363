from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.usage import Usage
from proxy.meter.jobs import UNDER_WAY, Job, read_job

USAGE = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}


def response(status: str, **members: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "model": "gpt-5",
        "usage": None,
        **members,
    }


@pytest.mark.parametrize("status", sorted(UNDER_WAY))
def test_what_is_under_way_has_not_used_anything_yet(status: str) -> None:
    job = read_job(response(status, usage=USAGE))
    assert job == Job("resp_1", "response", status, "gpt-5", None)
    assert not job.ended


def test_a_finished_response_says_what_it_used_with_its_tools() -> None:
    files = {"type": "file_search_call", "status": "completed"}
    job = read_job(response("completed", usage=USAGE, output=[files]))
    assert job is not None
    assert job.ended
    assert job.usage == Usage(10, output_tokens=2, quantities={"file_search_call": 1})
    assert (
        read_job({"type": "response.completed", "response": response("completed", usage=USAGE)}) is not None
    )


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_what_came_to_nothing_and_reports_nothing_costs_nothing(status: str) -> None:
    job = read_job(response(status))
    assert job is not None
    assert job.usage == Usage()


@pytest.mark.parametrize("status", ["completed", "incomplete", "something new"])
def test_an_end_without_a_report_is_not_taken_for_nothing(status: str) -> None:
    job = read_job(response(status))
    assert job is not None
    assert job.ended
    assert job.usage is None


def test_a_run_that_was_cancelled_costs_what_it_reports() -> None:
    run = {"id": "run_1", "object": "thread.run", "status": "cancelled", "model": "gpt-4o"}
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    job = read_job({**run, "usage": usage})
    assert job is not None
    assert job.usage == Usage(3, output_tokens=1)


def test_tuning_costs_the_tokens_it_trained() -> None:
    tuning = {
        "id": "ftjob-1",
        "object": "fine_tuning.job",
        "status": "succeeded",
        "model": "gpt-4o-mini-2024-07-18",
    }
    job = read_job({**tuning, "trained_tokens": 5768})
    assert job == Job(
        "ftjob-1",
        "fine_tuning.job",
        "succeeded",
        "gpt-4o-mini-2024-07-18",
        Usage(quantities={"trained_token": 5768}),
    )
    nothing = read_job({**tuning, "trained_tokens": None})
    assert nothing is not None
    assert nothing.usage is None


def test_a_batch_says_it_by_its_output_file() -> None:
    job = read_job({"id": "batch_1", "object": "batch", "status": "cancelled", "usage": USAGE})
    assert job == Job("batch_1", "batch", "cancelled", "", None)


@pytest.mark.parametrize(
    ("size", "kind"),
    [("1280x720", "video_second_720p"), ("1024x1792", "video_second_1024p"), (None, "video_second_1024p")],
)
def test_a_video_costs_its_seconds_by_size_once_it_is_made(size: object, kind: str) -> None:
    video = {"id": "video_1", "object": "video", "model": "sora-2-pro", "seconds": "8", "size": size}
    made = read_job({**video, "status": "completed"})
    assert made == Job("video_1", "video", "completed", "sora-2-pro", Usage(quantities={kind: 8}))
    failed = read_job({**video, "status": "failed"})
    assert failed is not None
    assert failed.usage == Usage()


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"id": "x"}, {"id": 1, "object": "response", "status": "queued"}]
)
def test_anything_else_is_no_job(answer: Any) -> None:
    assert read_job(answer) is None


_KEYS = [
    "id",
    "object",
    "status",
    "model",
    "usage",
    "response",
    "trained_tokens",
    "output",
    "size",
    "seconds",
]
_VALUES = ["video", "fine_tuning.job", "response", "completed", "failed", "8"]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3) | st.sampled_from(_VALUES),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=8)
        ),
        max_leaves=12,
    )
)
def test_no_answer_raises(answer: Any) -> None:
    read_job(answer)


def test_recorded_jobs_are_read(corpus: list[dict[str, Any]]) -> None:
    found: dict[tuple[str, str], int] = {}
    for row in corpus:
        if row["response_status"] != 200 or row["stream"] or not (row["response_body"] or "").startswith("{"):
            continue
        try:
            job = read_job(json.loads(row["response_body"]))
        except ValueError:
            continue  # a stored file of several lines
        if job is None or job.kind not in ("response", "thread.run", "batch"):
            continue
        assert (job.usage is not None) == (row["usage"] is not None), row["id"]
        assert job.ended == (job.usage is not None), row["id"]
        found[job.kind, job.status] = found.get((job.kind, job.status), 0) + 1
    assert found["response", "completed"] > 80
    assert found["response", "queued"] >= 1
    assert found["thread.run", "queued"] == 2
    assert found["batch", "cancelling"] == 1


def test_a_garbled_video_is_the_larger_one() -> None:
    video = {"id": "v", "object": "video", "status": "completed", "seconds": 4, "size": []}
    job = read_job(video)
    assert job is not None
    assert job.usage == Usage(quantities={"video_second_1024p": 4})
