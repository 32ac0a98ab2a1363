"""Errors of the upstream and refusals of ours reach the official SDK as exceptions of the right kind."""

from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import openai
import pytest

from ledger.limits import Limits
from tests.recordings import TOKENS
from tests.sdk import Sdk, check, open_sdk, sim
from tests.system import System

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say something"}]}
RESPONSE = {"model": "gpt-5.1", "input": "Say something"}


@pytest.fixture(params=["sync", "async"])
async def sdk(request: pytest.FixtureRequest, house: System) -> AsyncIterator[Sdk]:
    async with open_sdk(house, request.param) as opened:
        yield opened


@pytest.mark.parametrize(
    ("kind", "status", "code", "wanted"),
    [
        (
            openai.RateLimitError,
            429,
            "rate_limit_exceeded",
            {"extra_headers": sim(status=429, retry_after=7)},
        ),
        (openai.InternalServerError, 500, None, {"extra_headers": sim(status=500)}),
        (openai.InternalServerError, 503, None, {"extra_headers": sim(status=503), "stream": True}),
        (openai.BadRequestError, 400, None, {"temperature": 9}),
        (openai.NotFoundError, 404, "model_not_found", {"model": "gpt-4o-mini-nothing"}),
    ],
)
async def test_errors_of_the_upstream_keep_their_kind_and_cost_nothing(
    sdk: Sdk, kind: type[openai.APIStatusError], status: int, code: str | None, wanted: dict[str, Any]
) -> None:
    sdk = sdk.by(await sdk.house.tenant(unpriced_models="allow"))
    with pytest.raises(kind) as raised:
        await sdk.get(sdk.client.chat.completions.create(**CHAT | wanted))
    assert raised.value.status_code == status
    assert code is None or raised.value.code == code
    assert raised.value.response.headers.get("retry-after") == ("7" if status == 429 else None)
    row = await sdk.row()
    assert (row["status"], row["request_id"]) == (status, raised.value.request_id)
    assert all(row[name] == 0 for name in (*TOKENS, "price_nano", "cost_nano_usd"))


async def test_a_wrong_key_is_an_authentication_error(sdk: Sdk) -> None:
    with pytest.raises(openai.AuthenticationError) as raised:
        await sdk.get(sdk.client.with_options(api_key="sk-tk-wrong").chat.completions.create(**CHAT))
    assert raised.value.code == "invalid_api_key"


@pytest.mark.parametrize(
    ("kind", "status", "code", "terms", "wanted"),
    [
        (openai.APIStatusError, 402, "model_not_priced", {}, {"model": "gpt-nothing"}),
        (openai.APIStatusError, 402, "model_not_priced", {}, {"prompt": {"id": "pmpt_1"}, "model": None}),
        (openai.PermissionDeniedError, 403, "model_not_allowed", {"models": ["gpt-4o*"]}, {}),
        (openai.PermissionDeniedError, 403, "endpoint_not_allowed", {"endpoints": ["embeddings"]}, {}),
        (openai.BadRequestError, 400, None, {}, {"model": None}),
        (openai.BadRequestError, 400, "invalid_type", {}, {"max_output_tokens": "many"}),
    ],
)
async def test_refusals_of_ours_have_a_kind_of_their_own_and_leave_no_record(
    sdk: Sdk,
    kind: type[openai.APIStatusError],
    status: int,
    code: str | None,
    terms: dict[str, Any],
    wanted: dict[str, Any],
) -> None:
    sdk = sdk.by(await sdk.house.tenant(**terms))
    with pytest.raises(kind) as raised:
        await sdk.get(sdk.client.responses.create(**RESPONSE | wanted))
    assert (raised.value.status_code, raised.value.code) == (status, code)
    assert (raised.value.request_id or "").startswith("req_")
    await sdk.house.quiet()
    assert await sdk.house.records(sdk.tenant, 0) == []


async def test_a_limit_of_ours_is_a_rate_limit_error_that_says_when_to_come_again(sdk: Sdk) -> None:
    sdk = sdk.by(await sdk.house.tenant(limits=Limits(requests_per_minute=1)))
    answer = await sdk.get(sdk.client.chat.completions.create(**CHAT))
    with pytest.raises(openai.RateLimitError) as raised:
        await sdk.get(sdk.client.chat.completions.create(**CHAT))
    assert raised.value.code == "rate_limit_exceeded"
    assert 0 < int(raised.value.response.headers["retry-after"]) <= 62
    check(await sdk.row(), answer.usage)


async def test_the_sdk_waits_as_long_as_it_is_told_before_it_tries_again(sdk: Sdk) -> None:
    patient = sdk.client.with_options(max_retries=1)
    began = monotonic()
    with pytest.raises(openai.RateLimitError):
        await sdk.get(patient.chat.completions.create(**CHAT, extra_headers=sim(status=429, retry_after=1)))
    assert monotonic() - began >= 1
    assert [row["status"] for row in await sdk.house.records(sdk.tenant, 2)] == [429, 429]


async def test_an_error_inside_a_stream_reaches_the_sdk(sdk: Sdk) -> None:
    with pytest.raises(openai.APIError, match="server had an error"):
        await sdk.all(
            sdk.client.chat.completions.create(**CHAT, stream=True, extra_headers=sim(error_event=5))
        )
    row = await sdk.row()
    assert (row["status"], row["usage_source"]) == (200, "tokenizer")
    assert 0 < row["output_tokens"] <= 5


async def test_an_impatient_client_gets_its_own_timeout_and_one_record(sdk: Sdk) -> None:
    impatient = sdk.client.with_options(timeout=0.3)
    with pytest.raises(openai.APITimeoutError):
        await sdk.get(impatient.chat.completions.create(**CHAT, extra_headers=sim(delay=20_000)))
    row = await sdk.row()
    assert (row["outcome"], row["output_tokens"]) == ("client_gone", 0)
