"""Our usage records beside the simulator's own books."""

from tests.system import System, Tenant, until

BOOKED = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens_served",
    "cached_input_tokens": "cached_tokens",
    "reasoning_tokens": "reasoning_tokens",
}
"""Our name of a sum: the simulator's."""


async def agreed(house: System, tenant: Tenant, client_request_id: str) -> dict[str, int]:
    """The sums of what the tenant used, once the records say what the books say of the requests that carried the id."""

    seen: list[dict[str, int]] = []

    async def look() -> dict[str, int] | None:
        entries = (await house.books(client_request_id=client_request_id))["requests"]
        booked = {name: sum(entry[other] for entry in entries) for name, other in BOOKED.items()}
        seen[:] = [booked, await recorded(house, tenant)]
        return booked if seen[0] == seen[1] else None

    try:
        return await until(look, "records that agree with the books")
    except AssertionError:
        raise AssertionError(f"the books say {seen[0]}, the records {seen[1]}") from None


async def recorded(house: System, tenant: Tenant) -> dict[str, int]:
    """The sums of the tenant's records. What was trained counts as input, as the simulator has it."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint as {name}" for name in BOOKED)
    trained = "coalesce(sum((quantities->>'trained_token')::bigint), 0)::bigint as trained"
    query = f"select {sums}, {trained} from usage where organization_id = $1"
    [row] = await house.fetch(query, tenant.organization_id)
    row["input_tokens"] += row.pop("trained")
    return row
