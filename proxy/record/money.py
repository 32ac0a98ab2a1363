"""What something costs and sells for."""

from typing import Final, NamedTuple


class Money(NamedTuple):
    """Nano-units: what the provider charges in USD and EUR, the selling price in the plan's currency and in EUR, and
    the part of the selling price that is for tokens."""

    cost_usd: int
    cost_eur: int
    price: int
    price_eur: int
    price_tokens: int


FREE: Final = Money(0, 0, 0, 0, 0)
