from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.upstreams.schema import Retries
from proxy.upstream.failure import FailureKind, UpstreamFailure
from proxy.upstream.retry import (
    Again,
    Next,
    PassOn,
    Refusing,
    Repeatable,
    Standing,
    after_answer,
    after_failure,
    refusing,
    repeatable,
)

LIMITS = Retries(attempts=3, longest_wait=2, within=30)
NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
FIRST = Standing(1, 0.1, True, False)
ALONE = Standing(1, 0.1, False, False)
POST = Repeatable(False, True)
UPLOAD = Repeatable(False, False)
GET = Repeatable(True, False)
KINDS: list[FailureKind] = [
    "connect",
    "tls",
    "timeout_first_byte",
    "timeout_between_bytes",
    "reset",
    "protocol",
    "pool_exhausted",
    "request_body",
]

standings = st.builds(
    Standing, st.integers(1, 5), st.floats(0, 60, allow_nan=False), st.booleans(), st.booleans()
)
kinds = st.builds(Repeatable, st.booleans(), st.booleans())


@pytest.mark.parametrize("status", [429, 503])
def test_a_short_retry_after_is_waited_for_once(status: int) -> None:
    said = Refusing(status, 2, False)
    assert after_answer(LIMITS, said, FIRST, UPLOAD) == Again(2)
    assert after_answer(LIMITS, said, FIRST._replace(asked_again=True), UPLOAD) == Next()
    assert after_answer(LIMITS, said, ALONE._replace(asked_again=True), UPLOAD) == PassOn()


def test_a_long_retry_after_leads_to_the_next_or_to_the_client() -> None:
    said = Refusing(429, 2.1, False)
    assert after_answer(LIMITS, said, FIRST, POST) == Next()
    assert after_answer(LIMITS, said, ALONE, POST) == PassOn()


def test_what_says_that_asking_again_is_no_use_is_not_asked_again() -> None:
    said = Refusing(429, 1, True)
    assert after_answer(LIMITS, said, FIRST, POST) == Next()
    assert after_answer(LIMITS, said, ALONE, POST) == PassOn()


def test_a_429_that_does_not_say_when_is_not_asked_again() -> None:
    assert after_answer(LIMITS, Refusing(429, None, False), ALONE, POST) == PassOn()


@pytest.mark.parametrize("status", [500, 502, 504])
def test_an_error_in_the_work_is_tried_again_only_where_it_left_nothing(status: int) -> None:
    said = Refusing(status, None, False)
    assert after_answer(LIMITS, said, FIRST, POST) == Next()
    assert after_answer(LIMITS, said, ALONE, POST) == Again(0.25)
    assert after_answer(LIMITS, said, ALONE._replace(attempts=2), POST) == Again(0.5)
    assert after_answer(LIMITS, said, FIRST, UPLOAD) == PassOn()


@given(st.integers(200, 599).filter(lambda s: s not in (429, 500, 502, 503, 504)), standings, kinds)
def test_any_other_answer_is_passed_on(status: int, standing: Standing, kind: Repeatable) -> None:
    assert after_answer(LIMITS, Refusing(status, 1, False), standing, kind) == PassOn()


@given(st.sampled_from(KINDS), standings, st.booleans())
def test_what_may_have_been_worked_on_is_never_sent_twice(
    kind: FailureKind, standing: Standing, creates_nothing: bool
) -> None:
    sent = UpstreamFailure(kind, "", True, False)
    assert after_failure(LIMITS, sent, standing, Repeatable(False, creates_nothing)) == PassOn()


@given(st.sampled_from(KINDS), standings, kinds)
def test_nothing_is_tried_again_once_an_answer_began(
    kind: FailureKind, standing: Standing, how: Repeatable
) -> None:
    assert after_failure(LIMITS, UpstreamFailure(kind, "", True, True), standing, how) == PassOn()


@given(st.sampled_from([429, 500, 503]), st.none() | st.floats(0, 5), st.booleans(), standings, kinds)
def test_attempts_and_time_are_bounded(
    status: int, wait: float | None, final: bool, standing: Standing, kind: Repeatable
) -> None:
    steps = (
        after_answer(LIMITS, Refusing(status, wait, final), standing, kind),
        after_failure(LIMITS, UpstreamFailure("connect", "", False, False), standing, kind),
    )
    for step in steps:
        if standing.attempts >= 3 or standing.elapsed >= 30:
            assert step == PassOn()
        if isinstance(step, Again):
            assert step.after <= 2
            assert standing.elapsed + step.after <= 30
        if isinstance(step, Next):
            assert standing.others


def test_what_never_left_goes_to_the_next_or_is_tried_again() -> None:
    failure = UpstreamFailure("connect", "", False, False)
    assert after_failure(LIMITS, failure, FIRST, UPLOAD) == Next()
    assert after_failure(LIMITS, failure, ALONE, UPLOAD) == Again(0.25)
    assert after_failure(LIMITS, UpstreamFailure("tls", "", False, False), ALONE, UPLOAD) == PassOn()
    assert after_failure(LIMITS, UpstreamFailure("request_body", "", False, False), FIRST, GET) == PassOn()


def test_a_read_that_broke_off_is_tried_again() -> None:
    assert after_failure(LIMITS, UpstreamFailure("reset", "", True, False), ALONE, GET) == Again(0.25)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ([], None),
        ([(b"Retry-After", b"7")], 7),
        ([(b"retry-after", b"7"), (b"Retry-After-Ms", b"150")], 0.15),
        ([(b"retry-after", b"Sat, 21 Nov 2026 10:00:30 GMT")], 30),
        ([(b"retry-after", b"Sat, 21 Nov 2026 09:00:00 GMT")], 0),
        ([(b"retry-after", b"soon")], None),
        ([(b"retry-after", b"-1")], None),
        ([(b"retry-after", b"nan")], None),
        ([(b"retry-after", b"\xff")], None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: list[tuple[bytes, bytes]], wait: float | None) -> None:
    assert refusing(429, headers, NOW) == Refusing(429, wait, False)


def test_x_should_retry_false_is_final() -> None:
    assert refusing(429, [(b"X-Should-Retry", b"false")], NOW).final


@given(st.binary(max_size=40))
def test_any_retry_after_can_be_read(value: bytes) -> None:
    wait = refusing(503, [(b"retry-after", value)], NOW).wait
    assert wait is None or wait >= 0


def test_what_goes_on_in_the_background_or_in_a_conversation_leaves_something() -> None:
    assert repeatable("POST", "/v1/responses", {}).creates_nothing
    assert not repeatable("POST", "/v1/responses", {"background": True}).creates_nothing
    assert not repeatable("POST", "/v1/responses", {"conversation": "conv_1"}).creates_nothing
    assert not repeatable("POST", "/v1/files", {}).creates_nothing
    assert repeatable("GET", "/v1/files", {}).safe
    assert not repeatable("DELETE", "/v1/files/{file}", {}).safe
