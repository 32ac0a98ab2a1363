"""A usage record in the making: what is known at the door, completed when the request is settled.

The draft goes into the hold, so that whoever sweeps it can settle for a proxy that died.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from ledger.usage_record import UsageRecord
from proxy.quota.amounts import Amounts
from proxy.quota.clock import instant
from proxy.record import form
from proxy.record.money import Money

SWEPT_STATUS: Final = 0
"""Nobody knows what the client saw of a request whose proxy died."""
_LONGEST_MS: Final = 2**31 - 1
"""What the ledger's column takes; a record from a disk that nobody looked at for months is older."""


@dataclass(frozen=True, slots=True)
class Draft:
    """`record` is the request as if nothing of an answer had been delivered: its input, and what it makes anyhow.
    `output_money` is one output token's part."""

    record: UsageRecord
    scopes: tuple[str, ...]
    output_money: Money


def write(draft: Draft) -> bytes:
    return compose(form.write(draft.record), draft.scopes, draft.output_money)


def compose(record: bytes, scopes: Sequence[str], output_money: Money) -> bytes:
    """As `write`, of a record that is written already."""
    cost_usd, cost_eur, price, price_eur, of_tokens = output_money
    return b'{"record":%b,"scopes":%b,"output":[%d,%d,%d,%d],"output_of_tokens":%d}' % (
        record,
        orjson.dumps(scopes),
        *(cost_usd, cost_eur, price, price_eur, of_tokens),
    )


def read(data: bytes) -> Draft:
    """Raises form.UnreadableRecord."""
    try:
        parts: dict[str, Any] = orjson.loads(data)
        cost_usd, cost_eur, price, price_eur = parts["output"]
        # Drafts written by a proxy of before it was told have none: an output token's price is for the token.
        of_tokens = parts.get("output_of_tokens", price)
        money = Money(cost_usd, cost_eur, price, price_eur, of_tokens)
        return Draft(form.unflatten(parts["record"]), tuple(parts["scopes"]), money)
    except form.UnreadableRecord:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise form.UnreadableRecord(f"{type(error).__name__}: {error}") from None


def expired(draft: Draft, *, at_ms: int, now_ms: int, delivered: int) -> tuple[UsageRecord, Amounts]:
    """The record of a hold that nobody settled, from its last renewal: `delivered` output tokens."""
    record, money = draft.record, draft.output_money
    completed = replace(
        record,
        occurred_at=instant(at_ms),
        outcome="expired",
        status=SWEPT_STATUS,
        usage=replace(record.usage, output_tokens=record.usage.output_tokens + delivered),
        usage_source="hold",
        cost_nano_usd=record.cost_nano_usd + delivered * money.cost_usd,
        cost_nano_eur=record.cost_nano_eur + delivered * money.cost_eur,
        price_nano=record.price_nano + delivered * money.price,
        price_nano_eur=record.price_nano_eur + delivered * money.price_eur,
        price_nano_tokens=record.price_nano_tokens + delivered * money.price_tokens,
        duration_ms=min(max(0, now_ms - at_ms), _LONGEST_MS),
    )
    return completed, Amounts(1, completed.usage.total_tokens, completed.price_nano, completed.request_bytes)
