import pytest

from ledger import notifications
from ledger.database import Pool, transaction
from tests.billing_worker.notices.examples import EXAMPLES
from tests.console.running import UNKNOWN, Console, Fields, refused

LIST = "/api/admin/notifications"


@pytest.fixture
async def told(pool: Pool, organization: Fields) -> list[str]:
    """Of two things an organization, of a third the administrators; the oldest first."""
    ids = []
    for kind, owner in (
        ("quota_reached", organization["id"]),
        ("payment_confirmed", organization["id"]),
        ("admin_alert", None),
    ):
        async with transaction(pool) as connection:
            made = await notifications.queue(
                connection, kind=kind, organization_id=owner, key="one", values=EXAMPLES[kind]
            )
        assert made is not None
        ids.append(made)
    return ids


async def test_what_people_are_told_is_listed_newest_first(
    console: Console, organization: Fields, told: list[str]
) -> None:
    rows = await console.all_pages(LIST, 1)
    assert [row["id"] for row in rows] == told[::-1]
    assert rows[0]["deliveries"][0]["recipient"] is None
    assert rows[2]["subject"] == "80 % of your tokens of the month are used"
    assert "Atelier has used 80 %" in rows[2]["text"]
    assert rows[0]["organization_id"] is None
    own = await console.all_pages(f"{LIST}?organization={organization['id']}&kind=quota_reached", 5)
    assert [row["id"] for row in own] == told[:1]
    assert await console.all_pages(f"{LIST}?status=sent", 5) == []


async def test_one_is_read_with_its_mails(console: Console, pool: Pool, organization: Fields) -> None:
    async with transaction(pool) as connection:
        made = await notifications.queue(
            connection,
            kind="quota_reached",
            organization_id=organization["id"],
            key="one",
            values=EXAMPLES["quota_reached"],
            recipients=["a@b.example"],
        )
    found = (await console.admin.get(f"{LIST}/{made}")).json()
    assert [(each["recipient"], each["status"]) for each in found["deliveries"]] == [
        ("a@b.example", "waiting")
    ]
    refused(await console.admin.get(f"{LIST}/{UNKNOWN}"), 404)


async def test_resending_is_audited_and_makes_it_due_again(
    console: Console, pool: Pool, told: list[str]
) -> None:
    async with transaction(pool) as connection:
        await connection.execute(
            "update notification_delivery set status = 'dead', attempts = 8, error = 'x'"
        )
    answer = await console.admin.post(f"{LIST}/{told[2]}/resend")
    assert answer.status_code == 200, answer.text
    (delivery,) = answer.json()["deliveries"]
    assert (delivery["status"], delivery["attempts"], delivery["error"]) == ("waiting", 0, None)
    audit = (await console.admin.get(f"/api/admin/audit?object={told[2]}")).json()["data"]
    assert [entry["action"] for entry in audit] == ["notification.resend"]
    refused(await console.admin.post(f"{LIST}/{UNKNOWN}/resend"), 404)


async def test_an_organization_reads_its_own_without_addresses(
    console: Console, organization: Fields, told: list[str]
) -> None:
    rows = (await console.mine(await console.key(organization), "notifications")).json()["data"]
    assert [row["id"] for row in rows] == [told[1], told[0]]
    assert "deliveries" not in rows[0]
    other = await console.make("organizations", name="Bureau")
    assert (await console.mine(await console.key(other), "notifications")).json()["data"] == []
