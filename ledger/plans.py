"""Plans: what an organization may use, and what that costs it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import asyncpg
from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from ledger import audit
from ledger.database import Connection
from ledger.errors import ConflictError, NotFoundError
from ledger.ids import new_id
from ledger.limits import UNLIMITED, Count, Limits
from ledger.pages import Slice
from ledger.price_rules import PriceRule, separable
from ledger.records import Instant, Name, Price, Record, decimal_text, plain_text
from ledger.terms import OveragePrice, Sla, VolumeDiscount, rising

Pattern = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strict=True), AfterValidator(plain_text)
]
PricePerRequest = Annotated[
    Decimal,
    Field(ge=0, le=10**6, decimal_places=9),
    PlainSerializer(decimal_text, return_type=str),
]


class PlanTerms(Record):
    """All of a plan that people decide. Prices in `currency`; -1 is unlimited.

    `models` and `endpoints` are patterns such as `gpt-4o*`; null allows all.
    """

    name: Name
    currency: Literal["EUR", "USD"] = "EUR"
    monthly_price: Price = Decimal(0)
    yearly_price: Price = Decimal(0)
    monthly_quota: Count = Field(UNLIMITED, description="tokens per month that the price includes")
    price_per_request: PricePerRequest = Decimal(0)
    price_rules: tuple[PriceRule, ...] = Field((), max_length=1000)
    overage: Literal["refuse", "bill"] = "refuse"
    limits: Limits = Limits()
    models: tuple[Pattern, ...] | None = Field(None, max_length=1000)
    endpoints: tuple[Pattern, ...] | None = Field(None, max_length=1000)
    on_redis_loss: Literal["refuse", "bounded"] = "refuse"
    unpriced_models: Literal["refuse", "allow"] = "refuse"
    trial_days: int = Field(0, ge=0, le=3650, strict=True, description="days at the start that cost nothing")
    setup_fee: Price = Decimal(0)
    minimum_spend: Price = Field(Decimal(0), description="per month; what is missing to it is charged")
    volume_discounts: Annotated[tuple[VolumeDiscount, ...], AfterValidator(rising)] = Field((), max_length=50)
    overage_price: OveragePrice | None = None
    stream_minute_price: Price = Decimal(0)
    traffic_gb_price: Price = Field(Decimal(0), description="for 10^9 bytes of bodies, both ways")
    sla: Sla | None = None
    active: bool = Field(True, strict=True)

    @field_validator("price_rules")
    @classmethod
    def _plain_rules(cls, rules: tuple[PriceRule, ...]) -> tuple[PriceRule, ...]:
        for rule in rules:
            plain_text(rule.model)
        return separable(rules)

    @field_validator("overage_price")
    @classmethod
    def _only_where_there_is_a_quota(
        cls, price: OveragePrice | None, info: ValidationInfo
    ) -> OveragePrice | None:
        bills = info.data.get("overage") == "bill" and info.data.get("monthly_quota") != UNLIMITED
        if price is not None and not bills:
            raise ValueError("needs a 'monthly_quota', and 'overage' to be 'bill'")
        return price

    @property
    def quota_is_limit(self) -> bool:
        """Whether calls beyond the quota are refused."""
        return self.overage == "refuse" and self.monthly_quota != UNLIMITED


class Plan(PlanTerms):
    id: str
    created_at: Instant
    updated_at: Instant

    @property
    def effective_limits(self) -> Limits:
        """The limits that are enforced: a quota whose overage is refused counts as tokens per month."""
        if not self.quota_is_limit:
            return self.limits
        month = self.limits.tokens_per_month
        lower = self.monthly_quota if month == UNLIMITED else min(month, self.monthly_quota)
        return self.limits.model_copy(update={"tokens_per_month": lower})


_FIELDS = tuple(PlanTerms.model_fields)


def _arguments(terms: PlanTerms) -> list[Any]:
    values: dict[str, Any] = {name: getattr(terms, name) for name in _FIELDS}
    values["limits"] = terms.limits.model_dump(mode="json", exclude_defaults=True)
    values["price_rules"] = [
        rule.model_dump(mode="json", exclude_defaults=True) for rule in terms.price_rules
    ]
    values["volume_discounts"] = [discount.model_dump(mode="json") for discount in terms.volume_discounts]
    for name in ("overage_price", "sla"):
        term = getattr(terms, name)
        values[name] = None if term is None else term.model_dump(mode="json")
    return list(values.values())


async def _write(connection: Connection, query: str, name: str, *arguments: Any) -> Plan:
    try:
        return Plan.of(await connection.fetchrow(query, *arguments))
    except asyncpg.UniqueViolationError:
        raise ConflictError(f"there is a plan named '{name}' already", "name") from None


async def _remember(connection: Connection, plan_id: str, terms: PlanTerms, at: datetime | None) -> None:
    """The plan has these terms from `at` (None: the database's now) on; never before those that it had."""
    await connection.execute(
        "insert into plan_terms (plan_id, valid_from, terms)"
        " select $1, greatest(coalesce($3, now()), max(valid_from) + interval '1 microsecond'), $2::jsonb"
        " from plan_terms where plan_id = $1",
        *(plan_id, terms.model_dump(mode="json"), at),
    )


async def create(connection: Connection, actor: str, terms: PlanTerms, *, at: datetime | None = None) -> Plan:
    """Raises ConflictError where the name is taken."""
    places = ", ".join(f"${number}" for number in range(1, len(_FIELDS) + 2))
    query = f"insert into plan (id, {', '.join(_FIELDS)}) values ({places}) returning *"
    plan = await _write(connection, query, terms.name, new_id("plan"), *_arguments(terms))
    await _remember(connection, plan.id, terms, at)
    await audit.write(connection, actor, "plan.create", plan.id, terms.model_dump(mode="json"))
    return plan


async def get(connection: Connection, plan_id: str) -> Plan:
    """Raises NotFoundError."""
    row = await connection.fetchrow("select * from plan where id = $1", plan_id)
    if row is None:
        raise NotFoundError("plan", plan_id)
    return Plan.of(row)


async def by_name(connection: Connection, name: str) -> Plan | None:
    row = await connection.fetchrow("select * from plan where name = $1", name)
    return Plan.maybe(row)


async def change(
    connection: Connection, actor: str, plan_id: str, changes: dict[str, Any], *, at: datetime | None = None
) -> Plan:
    """Sets the named fields from `at` (None: the database's now) on; of `limits` only the named ones.

    Raises NotFoundError, ConflictError for a name that is taken or the currency of a plan in use, and
    pydantic's ValidationError for values that make no plan.
    """
    found = await connection.fetchrow("select * from plan where id = $1 for update", plan_id)
    if found is None:
        raise NotFoundError("plan", plan_id)
    present = Plan.of(found).model_dump(include=set(_FIELDS))
    if "limits" in changes:
        changes = {**changes, "limits": {**present["limits"], **changes["limits"]}}
    terms = PlanTerms.model_validate({**present, **changes})
    if terms.currency != present["currency"] and await _in_use(connection, plan_id):
        raise ConflictError("the currency of a plan that was subscribed to cannot change", "currency")
    if terms.quota_is_limit and await _by_anniversary(connection, plan_id):
        message = "is counted in calendar months, but an organization on the plan is billed by anniversaries"
        raise ConflictError(message, "overage" if "overage" in changes else "monthly_quota")
    settings = ", ".join(f"{name} = ${number}" for number, name in enumerate(_FIELDS, 2))
    query = f"update plan set updated_at = now(), {settings} where id = $1 returning *"
    plan = await _write(connection, query, terms.name, plan_id, *_arguments(terms))
    await _remember(connection, plan_id, terms, at)
    detail = terms.model_dump(mode="json", include=set(changes))
    await audit.write(connection, actor, "plan.change", plan_id, detail)
    return plan


async def _in_use(connection: Connection, plan_id: str) -> bool:
    query = "select exists (select 1 from subscription where plan_id = $1)"
    return bool(await connection.fetchval(query, plan_id))


async def _by_anniversary(connection: Connection, plan_id: str) -> bool:
    query = "select exists (select 1 from subscription where plan_id = $1 and period_anchor = 'anniversary')"
    return bool(await connection.fetchval(query, plan_id))


async def listing(connection: Connection, part: Slice) -> list[Plan]:
    """The oldest first."""
    rows = await connection.fetch(
        "select * from plan"
        " where $1::timestamptz is null or (created_at, id) > ($1, $2::text) order by created_at, id"
        " limit $3",
        *part.arguments,
    )
    return [Plan.of(row) for row in rows]
