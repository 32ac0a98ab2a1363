"""The price list in the ledger's table model_price."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Protocol

import orjson

from ledger.database import Connection
from ledger.prices import Price, PriceList, ref


class _Connection(Protocol):
    async def fetch(self, query: str, /, *args: Any) -> Any: ...


_LOCK: Final = 0x70726963  # "pric"


async def lock(connection: Connection) -> None:
    """Nobody else brings in another list before the end of this transaction."""
    await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)


async def end(connection: Connection, prices: Iterable[Price], at: datetime) -> None:
    """They hold until `at`. All else of a row stays: records cite it."""
    await connection.executemany(
        "update model_price set valid_until = $4 where provider = $1 and model = $2 and valid_from = $3",
        [(price.provider, price.model, price.valid_from, at) for price in prices],
    )


# One statement: `held` sees the table as it was, so it names only rows that were there before.
_STORE: Final = """
with given as (
    select * from jsonb_to_recordset($1::text::jsonb) as (provider text, model text, valid_from timestamptz,
        valid_until timestamptz, rates jsonb, source text, source_date date)
), added as (
    insert into model_price (provider, model, valid_from, valid_until, rates, source, source_date)
    select * from given on conflict (provider, model, valid_from) do nothing
)
select provider, model, valid_from from given
join model_price held using (provider, model, valid_from)
where held.rates <> given.rates order by provider, model, valid_from
"""


async def store(connection: _Connection, price_list: PriceList) -> list[str]:
    """Add the list's prices to model_price; returns the refs of those that the table has with other rates.

    A row that exists is never changed: records cite it, and an administrator may have set it. A start must
    not fail on that, so it is for the caller to say which they are.
    """
    rows = [row | {"rates": orjson.Fragment(row["rates"])} for row in price_list.rows()]
    kept = await connection.fetch(_STORE, orjson.dumps(rows).decode())
    return [ref(row["provider"], row["model"], row["valid_from"]) for row in kept]
