"""The rates of plain text, which is what almost every call is made of, as whole numbers that are worked out once.

Without sound, pictures, pieces or writes to the cache, everything is linear in three counts, up to the length of
input at which a model's next rates begin. Each call is priced three times (what it may cost, what it costs if its proxy
dies, what it costs): so each takes 1.2 µs instead of 4.7.
"""

import math
from decimal import Decimal

from ledger.exchange import Rate
from ledger.prices import SCALE, TOKEN_KINDS, Price
from ledger.rating import Tariff, half_even
from ledger.usage import Usage
from proxy.record.money import Money

_INPUT, _CACHED, _OUTPUT = (TOKEN_KINDS.index(kind) for kind in ("input", "cached_input", "output"))


class PlainRates:
    """Of one model under one tariff, tier and day."""

    __slots__ = (
        "_cost",
        "_dollars",
        "_euros",
        "_in_euros",
        "_most",
        "_per",
        "_sold",
        "each_output",
        "most_per_output",
        "up_to",
    )

    def __init__(self, entry: Price, tariff: Tariff, rate: Rate, tier: str) -> None:
        sheets = entry.sheets.get(tier) or entry.sheets["default"]
        self.up_to = min((above for above, _ in sheets if above), default=math.inf)
        """Input tokens up to which these hold."""
        sheet = sheets[-1][1]
        sold, self._per = tariff.selling(entry.model, sheet, rate.per_euro)
        self._cost = _line(sheet.tokens, sheet.per_request)
        self._sold = _line(sold.tokens, sold.per_request)
        self._most = sold.dearest_input, sold.per_request
        self.most_per_output = -(-sold.dearest_output // self._per)
        """What each token of output adds to `most` at the most, in nano-units of the plan's currency."""
        self._in_euros = tariff.currency == "EUR"
        self._dollars, self._euros = Decimal(rate.per_euro).as_integer_ratio()
        thousand = self.money(0, 0, 1000)
        none = self.money(0, 0, 0)
        each = Money(*(-(-(much - little) // 1000) for much, little in zip(thousand, none, strict=True)))
        self.each_output = each._replace(price_tokens=min(each.price_tokens, each.price))
        """What each token of output costs, rounded up, for whoever must settle without the answer."""

    def most(self, input_tokens: int) -> int:
        """An upper bound of the selling price without output, whatever kinds of text the input is."""
        rate, fixed = self._most
        return -(-(input_tokens * rate + fixed) // self._per)

    def holds_for(self, usage: Usage) -> bool:
        return (
            usage.input_tokens <= self.up_to
            and usage.cached_input_tokens <= usage.input_tokens
            and not usage.quantities
            and not usage.cache_write_tokens
            and not usage.audio_input_tokens
            and not usage.audio_output_tokens
            and not usage.image_input_tokens
            and not usage.image_output_tokens
        )

    def money(self, input_tokens: int, cached: int, output_tokens: int) -> Money:
        """As the general way has it; `cached` is inside the input."""
        fixed, each_input, each_cached, each_output = self._cost
        plain = input_tokens - cached
        cost = half_even(
            fixed + plain * each_input + cached * each_cached + output_tokens * each_output, SCALE
        )
        fixed, each_input, each_cached, each_output = self._sold
        tokens = plain * each_input + cached * each_cached + output_tokens * each_output
        of_tokens = half_even(tokens, self._per)
        price = half_even(tokens + fixed, self._per) if fixed else of_tokens
        return Money(
            cost,
            half_even(cost * self._euros, self._dollars),
            price,
            price if self._in_euros else half_even(price * self._euros, self._dollars),
            of_tokens,
        )


def _line(tokens: tuple[int, ...], fixed: int) -> tuple[int, int, int, int]:
    return fixed, tokens[_INPUT], tokens[_CACHED], tokens[_OUTPUT]
