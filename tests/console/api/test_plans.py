from tests.console.running import Console, Fields, refused

PATH = "/api/admin/plans"

FULL: Fields = {
    "name": "Pro",
    "currency": "USD",
    "monthly_price": "3.00",
    "yearly_price": "30.00",
    "monthly_quota": 1_000_000,
    "price_per_request": "0.000001",
    "price_rules": [{"model": "gpt-4o*", "kind": "input", "markup": "1.20"}, {"model": "*", "rate": "2.5"}],
    "overage": "bill",
    "limits": {"requests_per_minute": 60, "spend_per_month": "10.00"},
    "models": ["gpt-4o*"],
    "endpoints": ["chat/completions"],
    "on_redis_loss": "bounded",
}


async def test_money_and_limits_come_back_as_they_went_in(console: Console) -> None:
    made = await console.make("plans", **FULL)
    assert made["id"].startswith("plan_")
    assert made["monthly_price"] == "3.00"
    assert made["price_per_request"] == "0.000001"
    assert made["limits"]["requests_per_minute"] == 60
    assert made["limits"]["spend_per_month"] == "10.00"
    assert made["limits"]["tokens_per_minute"] == -1
    for name in ("currency", "monthly_quota", "overage", "models", "endpoints", "on_redis_loss"):
        assert made[name] == FULL[name]
    assert await console.all_pages(PATH, 1) == [made]


async def test_a_change_leaves_the_rest_also_within_limits(console: Console) -> None:
    made = await console.make("plans", **FULL)
    answer = await console.admin.patch(
        f"{PATH}/{made['id']}", json={"limits": {"tokens_per_minute": 5}, "models": None}
    )
    assert answer.status_code == 200
    expected = {
        **made,
        "models": None,
        "limits": {**made["limits"], "tokens_per_minute": 5},
        "updated_at": answer.json()["updated_at"],
    }
    assert answer.json() == expected


async def test_a_name_is_taken_once(console: Console) -> None:
    made = await console.make("plans", name="Pro")
    other = await console.make("plans", name="Free")
    refused(await console.admin.post(PATH, json={"name": "Pro"}), 409, "name")
    refused(await console.admin.patch(f"{PATH}/{other['id']}", json={"name": "Pro"}), 409, "name")
    same = await console.admin.patch(f"{PATH}/{made['id']}", json={"name": "Pro"})
    assert same.status_code == 200


async def test_the_currency_of_a_plan_in_use_stays(console: Console, organization: Fields) -> None:
    plan = await console.make("plans", name="Pro")
    path = f"{PATH}/{plan['id']}"
    assert (await console.admin.patch(path, json={"currency": "USD"})).json()["currency"] == "USD"
    await console.subscribe(organization, plan)
    refused(await console.admin.patch(path, json={"currency": "EUR"}), 409, "currency")


TIERED: Fields = {"tiers": {"mode": "volume", "steps": [{"markup": "1"}]}}
BAD: list[tuple[Fields, str]] = [
    ({"name": ""}, "name"),
    ({"currency": "GBP"}, "currency"),
    ({"monthly_price": "-1"}, "monthly_price"),
    ({"monthly_price": "1.0000001"}, "monthly_price"),
    ({"monthly_price": "3,00"}, "monthly_price"),
    ({"monthly_price": True}, "monthly_price"),
    ({"monthly_price": "Infinity"}, "monthly_price"),
    ({"monthly_price": "1e400"}, "monthly_price"),
    ({"monthly_quota": -2}, "monthly_quota"),
    ({"monthly_quota": "many"}, "monthly_quota"),
    ({"price_per_request": "0.0000000001"}, "price_per_request"),
    ({"price_rules": [{"model": "*", "discount": "1"}]}, "price_rules.0.discount"),
    ({"price_rules": [{"model": "*"}]}, "price_rules.0"),
    ({"price_rules": [{"model": "a\0", "markup": "1"}]}, "price_rules"),
    ({"overage": "maybe"}, "overage"),
    ({"limits": {"request_per_minute": 1}}, "limits.request_per_minute"),
    ({"limits": None}, "limits"),
    ({"models": "gpt-4o"}, "models"),
    ({"models": ["a\0"]}, "models.0"),
    ({"on_redis_loss": "allow"}, "on_redis_loss"),
    ({"trial_days": -3}, "trial_days"),
    ({"trial_weeks": 3}, "trial_weeks"),
    ({"setup_fee": "-1"}, "setup_fee"),
    ({"volume_discounts": [{"above": "1", "percent": "101"}]}, "volume_discounts.0.percent"),
    ({"volume_discounts": [{"above": "1", "percent": 0.5}]}, "volume_discounts.0.percent"),
    ({"volume_discounts": [{"above": "1", "percent": "1"}] * 2}, "volume_discounts"),
    ({"overage_price": {"per": "tokens", "block": 0, "price": "1"}}, "overage_price.block"),
    ({"overage_price": {"per": "tokens", "price": "1"}}, "overage_price"),
    ({"sla": {"credits": [{"below": "99", "percent": "5"}]}}, "sla"),
    ({"sla": {"uptime_percent": "99", "credits": [{"below": "99.5", "percent": "5"}]}}, "sla"),
    ({"sla": {"latency_ms_p95": 9, "credits": [{"measure": "latency", "percent": "5"}]}}, "sla.credits.0"),
    ({"price_rules": [{"tiers": {"mode": "volume", "steps": [{}]}}]}, "price_rules.0.tiers"),
    ({"price_rules": [{"kind": "input", "markup": "2"}, TIERED]}, "price_rules"),
    ({"created_at": "2026-01-01T00:00:00Z"}, "created_at"),
]


async def test_bad_fields_are_refused_by_name(console: Console) -> None:
    made = await console.make("plans", name="Free")
    for fields, param in BAD:
        answer = await console.admin.post(PATH, json={"name": "Pro", **fields})
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["param"] == param
        answer = await console.admin.patch(f"{PATH}/{made['id']}", json=fields)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["param"].split(".")[0] == param.split(".")[0]
    assert await console.all_pages(PATH, 10) == [made]


async def test_an_unknown_plan_is_not_found(console: Console) -> None:
    refused(await console.admin.patch(f"{PATH}/plan_0", json={"name": "x"}), 404)
    refused(await console.admin.patch(f"{PATH}/plan_0", json={}), 404)
