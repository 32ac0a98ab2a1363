"""Limits of a plan and of a key, under many clients at once: what passes never goes beyond them."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from ledger.limits import Limits
from tests.system import System, Tenant, until

CLIENTS = 200
CHAT = "/v1/chat/completions"


def chat(model: str = "gpt-4o-mini+tokens=5", **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5} | members


async def storm(
    house: System, tenant: Tenant, body: dict[str, Any], clients: int = CLIENTS
) -> list[httpx.Response]:
    """As many calls at once as there are clients."""
    limits = httpx.Limits(max_connections=clients)
    async with house.client(tenant, limits=limits) as client:
        return list(await asyncio.gather(*(client.post(CHAT, json=body) for _ in range(clients))))


def statuses(answers: list[httpx.Response]) -> dict[int, int]:
    return dict(Counter(answer.status_code for answer in answers))


@pytest.mark.parametrize("holder", ["organization", "key"])
async def test_of_200_clients_exactly_50_pass_a_limit_of_50_requests_a_minute(
    house: System, holder: str
) -> None:
    limits = Limits(requests_per_minute=50)
    if holder == "organization":
        tenant = await house.tenant(limits=limits, unpriced_models="allow")
    else:
        tenant = await house.tenant(key_limits=limits, unpriced_models="allow")
    answers = await storm(house, tenant, chat())
    assert statuses(answers) == {200: 50, 429: 150}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert 0 < int(refused.headers["retry-after"]) <= 62
    assert refused.headers["x-ratelimit-limit-requests"] == "50"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert len(await house.records(tenant, 50)) == 50


async def test_tokens_a_month_never_pass_the_limit_by_one(house: System) -> None:
    tenant = await house.tenant(limits=Limits(tokens_per_month=500), unpriced_models="allow")
    answers = await storm(house, tenant, chat())
    passed = [answer.json()["usage"]["total_tokens"] for answer in answers if answer.status_code == 200]
    each = passed[0]
    assert sum(passed) <= 500
    # The hold is exact for such a call, so as many pass as fit.
    assert len(passed) == 500 // each
    rows = await house.records(tenant, len(passed))
    assert sum(row["input_tokens"] + row["output_tokens"] for row in rows) == sum(passed)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "insufficient_quota"
    assert "upgrade" in refused.json()["error"]["message"]


async def test_money_a_month_never_passes_the_limit_by_a_nano_unit(house: System) -> None:
    tenant = await house.tenant(currency="USD", limits={"spend_per_month": "0.0001"})
    answers = await storm(house, tenant, chat("gpt-4o-mini", max_tokens=20))
    assert set(statuses(answers)) == {200, 402}
    rows = await house.records(tenant, statuses(answers)[200])
    assert 0 < sum(row["price_nano"] for row in rows) <= 100_000
    refused = next(answer for answer in answers if answer.status_code == 402)
    assert refused.json()["error"]["code"] == "insufficient_quota"


async def test_tokens_a_minute_never_pass_the_limit_by_one(house: System) -> None:
    tenant = await house.tenant(limits=Limits(tokens_per_minute=300), unpriced_models="allow")
    answers = await storm(house, tenant, chat())
    passed = [answer.json()["usage"]["total_tokens"] for answer in answers if answer.status_code == 200]
    assert 0 < sum(passed) <= 300
    assert statuses(answers)[429] == CLIENTS - len(passed)


async def test_no_more_run_at_once_than_allowed_and_a_refusal_burns_nothing(house: System) -> None:
    tenant = await house.tenant(
        limits=Limits(concurrent_requests=3, requests_per_minute=5), unpriced_models="allow"
    )
    answers = await storm(house, tenant, chat("gpt-4o-mini+delay=500;tokens=2"), clients=20)
    assert statuses(answers) == {200: 3, 429: 17}
    # Of five requests a minute three are used; the 17 refusals used none.
    answers = await storm(house, tenant, chat(), clients=2)
    assert statuses(answers) == {200: 2}
    answers = await storm(house, tenant, chat(), clients=1)
    assert statuses(answers) == {429: 1}


async def test_an_unbounded_answer_is_bounded_by_what_is_left(house: System) -> None:
    tenant = await house.tenant(limits=Limits(tokens_per_month=100), unpriced_models="allow")
    body = {"model": "gpt-4o-mini+tokens=5000", "messages": [{"role": "user", "content": "Tell me all"}]}
    async with house.client(tenant) as client:
        answer = (await client.post(CHAT, json=body)).json()
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"]["total_tokens"] == 100
        assert (await client.post(CHAT, json=body)).status_code == 429


async def test_a_bound_of_the_callers_is_never_lowered(house: System) -> None:
    tenant = await house.tenant(limits=Limits(tokens_per_month=100), unpriced_models="allow")
    async with house.client(tenant) as client:
        answer = await client.post(CHAT, json=chat(max_tokens=200))
    assert answer.status_code == 429
    assert "needed 2" in answer.json()["error"]["message"]


async def test_answers_say_what_is_left(house: System) -> None:
    tenant = await house.tenant(
        limits=Limits(requests_per_minute=10, tokens_per_minute=1000, tokens_per_month=5000),
        unpriced_models="allow",
    )
    async with house.client(tenant) as client:
        answer = await client.post(CHAT, json=chat())
    headers = answer.headers
    assert headers["x-ratelimit-limit-requests"] == "10"
    assert headers["x-ratelimit-remaining-requests"] == "9"
    assert headers["x-ratelimit-limit-tokens"] == "1000"
    held = 1000 - int(headers["x-ratelimit-remaining-tokens"])
    assert int(headers["x-tollkeeper-quota-remaining"]) == 5000 - held
    assert headers["x-ratelimit-reset-requests"]


async def test_one_limit_holds_over_all_keys_of_an_organization(house: System) -> None:
    tenant = await house.tenant(limits=Limits(requests_per_minute=7), unpriced_models="allow")
    other = await house.another_key(tenant)
    answers = await asyncio.gather(*(storm(house, one, chat(), clients=10) for one in (tenant, other)))
    assert statuses([answer for some in answers for answer in some]) == {200: 7, 429: 13}


async def test_a_limited_key_does_not_limit_its_neighbour(house: System) -> None:
    tenant = await house.tenant(key_limits=Limits(requests_per_minute=1), unpriced_models="allow")
    other = await house.another_key(tenant)
    assert statuses(await storm(house, tenant, chat(), clients=3)) == {200: 1, 429: 2}
    assert statuses(await storm(house, other, chat(), clients=3)) == {200: 3}


async def test_traffic_of_a_month_is_limited_by_what_has_passed(house: System) -> None:
    tenant = await house.tenant(limits=Limits(traffic_gb_per_month=1), unpriced_models="allow")
    async with house.client(tenant) as client:
        answer = await client.post(CHAT, json=chat())
        [row] = await house.records(tenant, 1)
        assert row["request_bytes"] == len(answer.request.content)
        assert row["response_bytes"] == len(answer.content)
        await house.execute(
            "update usage set response_bytes = 1000000000 where organization_id = $1", tenant.organization_id
        )
        await house.forget_counters(tenant)
        refused = await client.post(CHAT, json=chat())
    assert refused.status_code == 429
    assert "traffic_gb_per_month" in refused.json()["error"]["message"]


async def test_a_members_limits_bind_all_of_its_keys_together(house: System) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    one, other = await house.keys_of_a_member(tenant, Limits(requests_per_month=3))
    statuses = []
    for each in (one, other, one, other):
        async with house.client(each) as client:
            statuses.append((await client.post(CHAT, json=chat())).status_code)
    assert statuses == [200, 200, 200, 429]
    async with house.client(tenant) as client:
        assert (await client.post(CHAT, json=chat())).status_code == 200


async def test_tokens_bought_raise_the_months_limit_at_once(house: System) -> None:
    tenant = await house.tenant(limits={"tokens_per_month": 5}, unpriced_models="allow")
    async with house.client(tenant) as client:
        assert (await client.post(CHAT, json=chat())).status_code == 429
        await house.buy_tokens(tenant, 10_000)

        async def raised() -> bool | None:
            return True if (await client.post(CHAT, json=chat())).status_code == 200 else None

        await until(raised, "the pack to count")
        quota = await house.fetch(
            "select tokens from token_pack where organization_id = $1", tenant.organization_id
        )
    assert quota == [{"tokens": 10_000}]
