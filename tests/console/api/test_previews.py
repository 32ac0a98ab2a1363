"""What a time would have cost under other terms, and the terms that a plan has had."""

from datetime import UTC, datetime
from pathlib import Path

import config
from ledger import price_rows
from ledger.database import Pool, transaction
from ledger.price_file import load_price_list
from tests.console.running import UNKNOWN, Console, Fields, refused
from tests.usage import enter


async def test_the_running_month_is_shown_as_it_is_and_as_it_would_be(
    console: Console, organization: Fields, pool: Pool
) -> None:
    plan = await console.make("plans", name="Pro", monthly_quota=10, overage="bill")
    await console.subscribe(organization, plan)
    async with transaction(pool) as connection:
        prices = load_price_list(Path(config.__file__).parent / "prices" / "openai.yaml")
        await price_rows.store(connection, prices)
    now = datetime.now(UTC)
    await enter(
        pool,
        "req_1",
        organization["id"],
        occurred_at=now,
        model="gpt-4o",
        input_tokens=2_000_000,
        cached_input_tokens=0,
        output_tokens=0,
        price_nano=4 * 10**9,
        price_nano_tokens=4 * 10**9,
    )
    answer = await console.admin.post(
        f"/api/admin/organizations/{organization['id']}/preview",
        json={
            "terms": {"name": "Other", "price_rules": [{"rate": "10"}], "price_per_request": "0.50"},
            "at": now.isoformat(),
        },
    )
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    # The quota's share of what is left of the month covers a part; the rest is at what it was sold for.
    [was] = shown["was"]
    assert [line["kind"] for line in was["lines"]] == ["overage"]
    assert was["currency"] == shown["would_be"]["currency"] == "EUR"
    assert [line["net"] for line in shown["would_be"]["lines"]] == ["20.00", "0.50"]
    assert shown["would_be"]["net"] == "20.50"


async def test_what_makes_no_terms_is_refused_by_name(console: Console, organization: Fields) -> None:
    path = f"/api/admin/organizations/{organization['id']}/preview"
    refused(await console.admin.post(path, json={"terms": {"name": "x", "price": "1"}}), 400, "terms.price")
    refused(await console.admin.post(path, json={}), 400, "terms")
    unknown = f"/api/admin/organizations/{UNKNOWN}/preview"
    refused(await console.admin.post(unknown, json={"terms": {"name": "x"}}), 404)


async def test_the_terms_that_a_plan_has_had_are_listed(console: Console) -> None:
    plan = await console.make("plans", name="Pro", monthly_price="3")
    path = f"/api/admin/plans/{plan['id']}"
    await console.admin.patch(path, json={"monthly_price": "4.00"})
    listed = (await console.admin.get(f"{path}/terms")).json()["data"]
    assert [each["terms"]["monthly_price"] for each in listed] == ["3.00", "4.00"]
    assert listed[0]["valid_from"] < listed[1]["valid_from"]
    refused(await console.admin.get("/api/admin/plans/plan_0/terms"), 404)
