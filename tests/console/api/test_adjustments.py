"""Adjustments: kept with their reason, for the next invoice."""

import pytest

from tests.console.running import UNKNOWN, Console, Fields, refused


async def test_an_adjustment_is_kept_and_listed(console: Console, organization: Fields) -> None:
    path = f"organizations/{organization['id']}/adjustments"
    made = await console.make(path, amount="-12.50", currency="EUR", reason="Goodwill")
    assert (made["amount"], made["currency"], made["reason"]) == ("-12.50", "EUR", "Goodwill")
    other = await console.make(path, amount="3", currency="USD", reason="Training")
    assert other["amount"] == "3.00"
    assert await console.all_pages(f"/api/admin/{path}", 1) == [made, other]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"amount": 1.5}, "amount"),
        ({"amount": "0.005"}, "amount"),
        ({"currency": "GBP"}, "currency"),
        ({"reason": ""}, "reason"),
        ({"at": "2026-01-01T00:00:00Z"}, "at"),
    ],
)
async def test_bad_fields_are_refused_by_name(
    console: Console, organization: Fields, fields: Fields, param: str
) -> None:
    path = f"/api/admin/organizations/{organization['id']}/adjustments"
    given = {"amount": "1", "currency": "EUR", "reason": "Goodwill", **fields}
    refused(await console.admin.post(path, json=given), 400, param)


async def test_of_an_unknown_organization_there_are_none(console: Console) -> None:
    path = f"/api/admin/organizations/{UNKNOWN}/adjustments"
    refused(await console.admin.get(path), 404)
    refused(await console.admin.post(path, json={"amount": "1", "currency": "EUR", "reason": "x"}), 404)
