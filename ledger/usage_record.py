"""The usage record: what one request used, what that cost, and where the numbers come from."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from ledger.storage import Freed, Stored
from ledger.usage import Usage

UsageSource = Literal["provider", "tokenizer", "hold", "unknown"]
"""Who counted: OpenAI's own report; our tokenizer; what a request held when its proxy died; nobody could."""

Outcome = Literal["completed", "client_gone", "upstream_error", "upstream_cut", "stopped", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    """One request, admitted at `occurred_at` by Redis' clock. Money in nano-units, prices in `currency`;
    `price_nano_tokens` is the part of the price that is for tokens, the rest is for the request and for pieces.

    `objects` are those that its answer brought into being upstream: (id, kind). `stored` take room
    there, `freed` do so no more.
    """

    request_id: str
    occurred_at: datetime
    organization_id: str
    project_id: str | None
    key_id: str | None
    member_id: str | None
    endpoint: str
    model: str
    upstream: str
    stream: bool
    status: int
    outcome: Outcome
    usage: Usage
    usage_source: UsageSource
    cost_nano_usd: int
    cost_nano_eur: int
    price_nano: int
    price_nano_eur: int
    currency: str
    usd_per_eur: Decimal
    price_ref: str | None
    request_bytes: int
    response_bytes: int
    first_byte_ms: int | None
    duration_ms: int
    search_term: str | None
    objects: tuple[tuple[str, str], ...] = ()
    stored: tuple[Stored, ...] = ()
    freed: tuple[Freed, ...] = ()
    price_nano_tokens: int = 0


def part_for_tokens(price_nano: int, tokens: int) -> int:
    """What is taken for the price's part for tokens where a record does not say it: all, if there are tokens."""
    return price_nano if tokens else 0
