from datetime import UTC, datetime, timedelta

import pytest

from billing_worker.schedule import JOBS

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_plan_limits_are_checked_at_six_and_storage_is_counted_at_four_in_utc() -> None:
    assert JOBS["plan_limits"].times.latest(NOON) == NOON.replace(hour=6)
    assert JOBS["storage"].times.latest(NOON) == NOON.replace(hour=4)
    assert JOBS["storage"].times.next(NOON) == NOON.replace(day=2, hour=4)


@pytest.mark.parametrize("name", JOBS)
def test_each_job_is_the_function_of_its_name_in_a_file_of_its_name(name: str) -> None:
    work = JOBS[name].work
    assert (getattr(work, "__name__", None), work.__module__) == (name, f"billing_worker.jobs.{name}")


@pytest.mark.parametrize("name", JOBS)
def test_each_job_has_a_bound_and_is_tried_again(name: str) -> None:
    assert timedelta() < JOBS[name].bound <= timedelta(hours=6)
    assert JOBS[name].retry.attempts > 1
