"""The journey of a request through a running proxy."""

from tests.system import System


async def test_a_call_is_answered_metered_and_stored(house: System) -> None:
    tenant = await house.tenant()
    async with house.client(tenant) as client:
        answer = await client.post(
            "/v1/chat/completions",
            json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]},
        )
    assert answer.status_code == 200
    usage = answer.json()["usage"]
    [row] = await house.records(tenant, 1)
    assert (row["input_tokens"], row["output_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert row["usage_source"] == "provider"
    assert row["request_id"] == answer.headers["x-request-id"]
    assert row["cost_nano_usd"] == usage["prompt_tokens"] * 150 + usage["completion_tokens"] * 600
