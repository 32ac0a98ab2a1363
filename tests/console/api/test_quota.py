"""Quota and holds as the admission script itself leaves them in Redis."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ledger.limits import Limits
from ledger.partitions import partition_of
from ledger.usage import Usage
from ledger.usage_record import UsageRecord
from proxy.pipeline import RedisPipeline
from proxy.quota import settlement
from proxy.quota.admission import Admitted, answer, question
from proxy.quota.amounts import NOTHING, Amounts, Demand, Hold
from proxy.quota.calendar import calendar_of
from proxy.quota.clock import milliseconds
from proxy.quota.limits import Scope
from proxy.quota.scopes import Scopes
from proxy.quota.scripts import Scripts
from proxy.record import draft
from proxy.record.money import FREE
from tests.console.running import UNKNOWN, Console, Fields, refused
from tests.epochs import open_all


class Proxy:
    """Admits and settles as a proxy does, by its scripts."""

    def __init__(self, redis: RedisPipeline) -> None:
        self.redis = redis
        self.scripts = Scripts(redis)

    async def admit(self, request_id: str, organization: Fields, key: Fields) -> Hold:
        """300 tokens and 2 units of money for the organization, held."""
        scopes = Scopes(
            (
                Scope.of(f"o:{organization['id']}", Limits(tokens_per_month=1000)),
                Scope.of(f"k:{key['id']}", Limits(requests_per_minute=5)),
            )
        )
        now = datetime.now(UTC)
        span = calendar_of(organization["time_zone"]).around(milliseconds(now))
        hold = Hold(
            partition_of(organization["id"]), request_id, tuple(scope.id for scope in scopes), span.start
        )
        for scope in scopes:
            asked = settlement.seed(hold.partition, scope.id, span.start, NOTHING, span.finish // 1000)
            await self.redis.send_script(self.scripts.seed, *asked)
        record = UsageRecord(
            request_id=request_id,
            occurred_at=now,
            organization_id=organization["id"],
            project_id=None,
            key_id=key["id"],
            member_id=None,
            endpoint="chat/completions",
            model="gpt-4o",
            upstream="openai",
            stream=True,
            status=0,
            outcome="expired",
            usage=Usage(input_tokens=100),
            usage_source="hold",
            cost_nano_usd=0,
            cost_nano_eur=0,
            price_nano=0,
            price_nano_eur=0,
            currency="EUR",
            usd_per_eur=Decimal("1.15"),
            price_ref=None,
            request_bytes=10,
            response_bytes=0,
            first_byte_ms=None,
            duration_ms=0,
            search_term=None,
        )
        what = draft.write(draft.Draft(record, hold.scopes, FREE))
        names, arguments = question(
            hold.partition,
            request_id,
            scopes,
            span,
            Demand(100, 2_000_000_000, 200, 200, 0),
            latest_ms=0,
            ttl_ms=60_000,
            what=what,
        )
        reply = await self.redis.send_script(self.scripts.admit, names, arguments)
        assert isinstance(answer(reply, scopes), Admitted)
        return hold

    async def settle(self, hold: Hold) -> None:
        """150 tokens and 1.5 units of money were used."""
        asked = settlement.settle(hold, Amounts(1, 150, 1_500_000_000), b"record", "settle")
        assert await self.redis.send_script(self.scripts.settle, *asked) == settlement.DONE


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[Proxy]:
    redis = RedisPipeline(redis_url, timeout=5)
    await redis.connect()
    await open_all(redis)
    yield Proxy(redis)
    await redis.close()


@pytest.fixture
async def subscribed(console: Console) -> Fields:
    organization = await console.make("organizations", name="Atelier", time_zone="Europe/Paris")
    limits = {"tokens_per_month": 2000, "spend_per_month": "10.00", "concurrent_requests": 3}
    await console.subscribe(
        organization, await console.make("plans", name="Pro", monthly_quota=1000, limits=limits)
    )
    return organization


def by_name(page: Fields, scope: str = "organization") -> dict[str, Fields]:
    return {row["name"]: row for row in page["data"] if row["scope"] == scope}


async def test_what_is_held_and_used_is_shown_for_every_limit(
    console: Console, subscribed: Fields, proxy: Proxy
) -> None:
    key = await console.key(subscribed, limits={"requests_per_minute": 5})
    hold = await proxy.admit("req_1", subscribed, key)
    path = f"/api/admin/organizations/{subscribed['id']}/quota"
    held = by_name((await console.admin.get(path)).json())
    tokens = held["tokens_per_month"]
    assert (tokens["limit"], tokens["used"], tokens["held"], tokens["remaining"]) == (1000, 0, 300, 700)
    money = held["spend_per_month"]
    assert (money["limit"], money["held"], money["remaining"]) == ("10.00", "2.00", "8.00")
    assert (money["currency"], tokens["currency"]) == ("EUR", None)
    assert held["concurrent_requests"]["remaining"] == 2
    assert held["requests_per_minute"]["limit"] == held["requests_per_minute"]["remaining"] == -1

    await proxy.settle(hold)
    page = (await console.admin.get(path)).json()
    tokens = by_name(page)["tokens_per_month"]
    assert (tokens["used"], tokens["held"], tokens["remaining"]) == (150, 0, 850)
    assert by_name(page)["spend_per_month"]["remaining"] == "8.50"
    own = by_name(page, "key")
    assert set(own) == {"requests_per_minute"}
    assert (own["requests_per_minute"]["scope_id"], own["requests_per_minute"]["used"]) == (key["id"], 1)


async def test_the_month_ends_on_the_organizations_calendar(console: Console, subscribed: Fields) -> None:
    page = (await console.admin.get(f"/api/admin/organizations/{subscribed['id']}/quota")).json()
    resets_at = by_name(page)["tokens_per_month"]["resets_at"]
    assert resets_at.endswith(("T22:00:00Z", "T23:00:00Z"))


async def test_a_running_request_is_seen_until_it_is_settled(
    console: Console, subscribed: Fields, proxy: Proxy
) -> None:
    key = await console.key(subscribed)
    hold = await proxy.admit("req_1", subscribed, key)
    path = f"/api/admin/organizations/{subscribed['id']}/holds"
    (row,) = (await console.admin.get(path)).json()["data"]
    assert (row["request_id"], row["key_id"], row["model"]) == ("req_1", key["id"], "gpt-4o")
    assert (row["tokens"], row["money"], row["currency"]) == (300, "2.00", "EUR")
    assert row["started_at"] < row["expires_at"]
    await proxy.settle(hold)
    assert (await console.admin.get(path)).json() == {"data": [], "next_cursor": None}


async def test_a_key_sees_its_own_and_nothing_of_others(
    console: Console, subscribed: Fields, proxy: Proxy
) -> None:
    key = await console.key(subscribed, limits={"requests_per_minute": 5})
    colleague = await console.key(subscribed, limits={"requests_per_minute": 6})
    other = await console.make("organizations", name="Other")
    stranger = await console.key(other)
    await proxy.admit("req_1", subscribed, key)
    await proxy.admit("req_2", other, stranger)
    mine = (await console.mine(key, "quota")).json()
    assert by_name(mine)["tokens_per_month"]["held"] == 300
    assert {row["scope_id"] for row in mine["data"]} == {subscribed["id"], key["id"]}
    assert colleague["id"] not in str(mine)
    assert [row["request_id"] for row in (await console.mine(key, "holds")).json()["data"]] == ["req_1"]
    assert [row["request_id"] for row in (await console.mine(stranger, "holds")).json()["data"]] == ["req_2"]


async def test_without_a_plan_there_are_no_limits_to_show(console: Console, organization: Fields) -> None:
    page = await console.admin.get(f"/api/admin/organizations/{organization['id']}/quota")
    assert page.json() == {"data": [], "next_cursor": None}


async def test_an_unknown_organization_is_not_found(console: Console) -> None:
    for path in ("quota", "holds"):
        refused(await console.admin.get(f"/api/admin/organizations/{UNKNOWN}/{path}"), 404)
