"""Packs of tokens: bought, shown, and in the limits of their month."""

import pytest

from tests.console.running import Console, refused


@pytest.mark.parametrize("tokens", [0, -1, "many", 1.5])
async def test_a_pack_without_tokens_is_refused(console: Console, tokens: object) -> None:
    organization = await console.make("organizations", name="Atelier")
    path = f"/api/admin/organizations/{organization['id']}/token-packs"
    refused(await console.admin.post(path, json={"tokens": tokens}), 400, "tokens")


async def test_a_pack_needs_a_plan_to_add_to(console: Console) -> None:
    organization = await console.make("organizations", name="Atelier")
    path = f"/api/admin/organizations/{organization['id']}/token-packs"
    assert (await console.admin.post(path, json={"tokens": 5})).status_code == 409


async def test_a_pack_raises_the_month_and_ends_with_it(console: Console) -> None:
    organization = await console.make("organizations", name="Atelier", time_zone="Europe/Paris")
    plan = await console.make("plans", name="Small", limits={"tokens_per_month": 100})
    await console.subscribe(organization, plan)
    pack = await console.make(
        f"organizations/{organization['id']}/token-packs", tokens=50, price="9.90", note="Order 12"
    )
    assert (pack["tokens"], pack["price"], pack["currency"], pack["note"]) == (50, "9.90", "EUR", "Order 12")
    key = await console.key(organization)
    limits = (await console.mine(key, "quota")).json()["data"]
    [month] = [limit for limit in limits if limit["name"] == "tokens_per_month"]
    assert (month["limit"], month["remaining"]) == (150, 150)
    assert month["resets_at"] == pack["ends_at"]
    assert (await console.mine(key, "token-packs")).json()["data"] == [pack]
    stranger = await console.make("organizations", name="Another")
    await console.subscribe(stranger, plan)
    assert (await console.mine(await console.key(stranger), "token-packs")).json()["data"] == []
