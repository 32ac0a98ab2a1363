"""A container that is made without a model is paid for once, by its memory, and held before it is made."""

from decimal import Decimal

import pytest

from tests.system import System

CONTAINERS = "/v1/containers"


@pytest.mark.parametrize(("memory", "dollars"), [(None, "0.03"), ("4g", "0.12")])
async def test_a_container_costs_what_its_memory_does(
    house: System, memory: str | None, dollars: str
) -> None:
    tenant = await house.tenant()
    asked = {"name": "c"} | ({} if memory is None else {"memory_limit": memory})
    async with house.client(tenant) as client:
        made = (await client.post(CONTAINERS, json=asked)).json()
        assert (await client.get(f"{CONTAINERS}/{made['id']}")).status_code == 200
    first, second = await house.records(tenant, 2)
    assert Decimal(first["cost_nano_usd"]) == Decimal(dollars) * 10**9
    assert (first["input_tokens"], first["output_tokens"], second["cost_nano_usd"]) == (0, 0, 0)


async def test_the_one_that_would_pass_the_limit_is_never_made(house: System) -> None:
    tenant = await house.tenant(currency="USD", limits={"spend_per_month": "0.05"})
    headers = {"x-client-request-id": tenant.key_id}
    async with house.client(tenant) as client:
        answers = [await client.post(CONTAINERS, json={"name": "c"}, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 402, 402]
    assert len((await house.books(client_request_id=tenant.key_id))["requests"]) == 1
