from datetime import UTC, datetime
from decimal import Decimal

from ledger import insights
from ledger.database import Pool, transaction
from tests.console.running import Console, Fields, refused

AT = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)


async def test_insights_are_listed_with_what_they_save(
    console: Console, pool: Pool, organization: Fields
) -> None:
    other = await console.make("organizations", name="Bureau")
    async with transaction(pool) as connection:
        await insights.keep(
            connection,
            organization["id"],
            "unused_plan",
            "plan_1",
            {"plan": "Pro"},
            at=AT,
            saving=Decimal("50.00"),
            currency="EUR",
        )
        await insights.keep(connection, other["id"], "idle_keys", "keys", {"count": 1, "names": ["a"]}, at=AT)
    rows = await console.all_pages("/api/admin/insights", 1)
    assert {row["kind"] for row in rows} == {"unused_plan", "idle_keys"}
    (mine,) = (await console.mine(await console.key(organization), "insights?language=fr")).json()["data"]
    assert (mine["saving"], mine["currency"]) == ("50.00", "EUR")
    assert "50,00\xa0€ de moins par mois" in mine["text"]
    answer = await console.admin.get(f"/api/admin/insights?organization={other['id']}&kind=idle_keys")
    assert [row["organization_id"] for row in answer.json()["data"]] == [other["id"]]
    async with transaction(pool) as connection:
        await insights.end_others(connection, other["id"], insights.RECOMMENDATIONS, [], at=AT)
    ended = (await console.admin.get("/api/admin/insights?ended=true")).json()["data"]
    assert [row["kind"] for row in ended] == ["idle_keys"]
    refused(await console.admin.get("/api/admin/insights?kind=gossip"), 400, "kind")
