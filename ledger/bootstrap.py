"""The first start: example plans, prices, exchange rates, and an organization to try things with."""

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

import config
from ledger import api_keys, exchange, organizations, plans, price_rows, sellers, subscriptions
from ledger.database import Connection, Pool, transaction
from ledger.exchange import ExchangeRates
from ledger.keys import KeyHasher
from ledger.plans import PlanTerms
from ledger.price_file import load_price_list
from ledger.sellers import SellerTerms

ACTOR = "first start"
DEMO = "Demo"

_LOCK = 0x626F6F74  # "boot": two first starts at once make one organization
_CONFIG = Path(config.__file__).parent

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What a start found or made. `key` is the secret of the demonstration's key if it was made just now."""

    organization_id: str
    key: str | None
    plans: tuple[str, ...]


async def bootstrap(pool: Pool, hasher: KeyHasher, *, now: datetime, demo_key: str | None) -> Bootstrap:
    """Brings in what is absent and changes nothing that is there; safe to repeat, and from several programs at once.

    `demo_key` is the secret of an earlier start: as long as the ledger knows it, no other is made. Raises
    PriceListError and ExchangeRateError for files that cannot be used, and DatabaseUnavailable.
    """
    examples = example_plans()
    price_list = load_price_list(_CONFIG / "prices" / "openai.yaml")
    rates = ExchangeRates.load(_CONFIG / "prices" / "exchange_rates.csv")
    async with transaction(pool) as connection:
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
        made = [terms.name for terms in examples if await _plan(connection, terms, now)]
        for ref in await price_rows.store(connection, price_list):
            log.warning("the ledger keeps a price of its own for %s", ref)
        await exchange.store(connection, rates)
        if await sellers.find(connection) is None:
            await sellers.put(connection, ACTOR, example_seller())
        organization_id, key = await _demonstration(connection, hasher, now, demo_key)
    return Bootstrap(organization_id, key, tuple(made))


def example_plans() -> list[PlanTerms]:
    """The plans of config/plans.yaml."""
    content = yaml.safe_load((_CONFIG / "plans.yaml").read_text("utf-8"))
    return [PlanTerms.model_validate(entry) for entry in content]


def example_seller() -> SellerTerms:
    """The seller of config/seller.yaml."""
    return SellerTerms.model_validate(yaml.safe_load((_CONFIG / "seller.yaml").read_text("utf-8")))


async def _plan(connection: Connection, terms: PlanTerms, now: datetime) -> bool:
    if await plans.by_name(connection, terms.name) is not None:
        return False
    await plans.create(connection, ACTOR, terms, at=now)
    return True


async def _demonstration(
    connection: Connection, hasher: KeyHasher, now: datetime, demo_key: str | None
) -> tuple[str, str | None]:
    known = await api_keys.by_secret(connection, hasher, demo_key) if demo_key else None
    if known is not None:
        return known.organization_id, None
    organization_id = await connection.fetchval(
        "select id from organization where name = $1 order by created_at, id limit 1", DEMO
    )
    if organization_id is None:
        organization_id = (await organizations.create(connection, ACTOR, name=DEMO)).id
        plan = await plans.by_name(connection, DEMO)
        if plan is not None:
            await subscriptions.replace(connection, ACTOR, organization_id, plan.id, now=now)
    made = hasher.make()
    await api_keys.create(connection, ACTOR, organization_id, made, name="demonstration")
    return organization_id, made.secret
