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

    async def look() -> dict[str, int] | None:
        entries = (await house.books(client_request_id=client_request_id))["requests"]
        booked = {name: sum(entry[other] for entry in entries) for name, other in BOOKED.items()}
        return booked if booked == await recorded(house, tenant) else None

    await house.quiet()
    return await until(look, f"records of {tenant.organization_id} that agree with the books")


async def recorded(house: System, tenant: Tenant) -> dict[str, int]:
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint as {name}" for name in BOOKED)
    [row] = await house.fetch(f"select {sums} from usage where organization_id = $1", tenant.organization_id)
    return row
