"""What work may come to in all, summed over the calls that it is made of."""

from dataclasses import dataclass, field

from ledger.usage import Usage
from proxy.pricing import Quote
from proxy.quota.amounts import Demand
from proxy.record.money import FREE, Money


@dataclass(slots=True)
class Total:
    """`models` are those that it asks."""

    models: set[str] = field(default_factory=set)
    _input: int = 0
    _output: int = 0
    _held: int = 0
    _money: Money = FREE

    def add(self, model: str, quote: Quote, most: Usage) -> None:
        """One more call, or several, of a model: `most` at the most, all together within one sheet of prices."""
        self.models.add(model)
        self._input += most.input_tokens
        self._output += most.output_tokens
        self._held += quote.most(most.input_tokens, most.output_tokens, most.quantities)
        one, other = self._money, quote.money(most)
        self._money = Money(
            one.cost_usd + other.cost_usd,
            one.cost_eur + other.cost_eur,
            one.price + other.price,
            one.price_eur + other.price_eur,
            one.price_tokens + other.price_tokens,
        )

    @property
    def demand(self) -> Demand:
        """What to hold."""
        return Demand(self._input + self._output, self._held, 0, 0, 0, paced=False)

    @property
    def most(self) -> tuple[Usage, Money]:
        """What is charged if nobody ever learns what was used."""
        return Usage(input_tokens=self._input, output_tokens=self._output), self._money
