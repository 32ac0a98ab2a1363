"""What is charged is the tier that served a call, whichever was asked for; what is held covers it."""

from decimal import Decimal
from typing import Any

import pytest

from tests.system import System, until

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
RATES = {"default": ("1.25", "10"), "flex": ("0.625", "5"), "priority": ("2.5", "20")}
"""Of gpt-5, a million tokens of input and of output."""


def cost_of(row: Any, tier: str) -> int:
    into, out = RATES[tier]
    return int((row["input_tokens"] * Decimal(into) + row["output_tokens"] * Decimal(out)) * 1000)


@pytest.mark.parametrize(
    ("asked", "served", "charged"),
    [
        (None, None, "default"),
        ("flex", None, "flex"),
        ("flex", 0, "default"),
        ("priority", 0, "default"),
        ("auto", 2, "priority"),
        (None, 2, "priority"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_the_tier_that_served_a_call_is_charged(
    house: System, path: str, stream: bool, asked: str | None, served: int | None, charged: str
) -> None:
    tenant = await house.tenant()
    body: dict[str, Any] = {"model": "gpt-5", "stream": stream}
    body |= {"input": "Hello"} if path == RESPONSES else {"messages": [{"role": "user", "content": "Hello"}]}
    body |= {} if asked is None else {"service_tier": asked}
    headers = {} if served is None else {"x-sim": f"tier={served}"}
    async with house.client(tenant) as client:
        answer = await client.post(path, json=body, headers=headers)
    assert answer.status_code == 200
    [row] = await house.records(tenant, 1)
    assert row["usage_source"] == "provider"
    assert row["cost_nano_usd"] == cost_of(row, charged)


async def test_a_response_in_the_background_is_charged_at_the_tier_that_served_it(house: System) -> None:
    tenant = await house.tenant()
    body = {"model": "gpt-5", "input": "Hello", "background": True, "service_tier": "flex"}
    async with house.client(tenant) as client:
        begun = await client.post(RESPONSES, json=body, headers={"x-sim": "tier=0"})
        while (told := await client.get(f"{RESPONSES}/{begun.json()['id']}")).json()["status"] != "completed":
            pass
    assert told.json()["service_tier"] == "default"

    async def settled() -> Any:
        rows = await house.fetch("select * from usage where organization_id = $1", tenant.organization_id)
        return next((row for row in rows if row["output_tokens"]), None)

    row = await until(settled, "the record of the response")
    assert row["cost_nano_usd"] == cost_of(row, "default")
