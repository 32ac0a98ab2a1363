"""A plan's price rules: a markup on what the provider charges, a rate of the plan's own, or either in tiers."""

from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ledger.prices import NANO, TOKEN_KINDS
from ledger.records import exact

MICRO: Final = 10**6

Factor = Annotated[Decimal, BeforeValidator(exact), Field(ge=0, le=10_000, decimal_places=6)]
Kind = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9_]*)$", max_length=64)]
_Count = Annotated[int, Field(ge=1, le=10**15, strict=True)]
_Money = Annotated[Decimal, BeforeValidator(exact), Field(gt=0, le=10**9, decimal_places=6)]


class Step(BaseModel):
    """A `rate` or a `markup` for what lies above the step before, up to and including `up_to`; null is without end.

    `up_to` counts what the rule prices, one by one (tokens, seconds, pieces); of a markup it is a sum of money at
    cost, a decimal string in the plan's currency.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    up_to: _Count | _Money | None = None
    rate: Factor | None = None
    markup: Factor | None = None

    @property
    def factor(self) -> Decimal:
        factor = self.rate if self.rate is not None else self.markup
        assert factor is not None  # the validator of all steps
        return factor

    @property
    def bound(self) -> int | None:
        """`up_to` as a count; of a markup, in nano-units."""
        return self.up_to if isinstance(self.up_to, int | None) else int(self.up_to * NANO)


class Tiers(BaseModel):
    """What a period's usage costs the more there is of it.

    `graduated`: each part at its own step. `volume`: all of it at the step that the whole reaches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["graduated", "volume"]
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if len({(step.rate is None, step.markup is None) for step in self.steps}) > 1 or (
            (self.steps[0].rate is None) == (self.steps[0].markup is None)
        ):
            raise ValueError("steps have either a rate each or a markup each")
        wanted = int if self.by_rate else Decimal
        bounds = [step.up_to for step in self.steps[:-1]]
        if self.steps[-1].up_to is not None or None in bounds:
            raise ValueError("every step but the last has 'up_to', the last has none")
        if not all(isinstance(bound, wanted) for bound in bounds):
            counted = "a whole number" if self.by_rate else "money, a decimal string"
            raise ValueError(f"'up_to' of a {'rate' if self.by_rate else 'markup'} is {counted}")
        numbers = [step.bound or 0 for step in self.steps[:-1]]
        if numbers != sorted(set(numbers)):
            raise ValueError("'up_to' must rise from step to step")
        return self

    @property
    def by_rate(self) -> bool:
        return self.steps[0].rate is not None

    @property
    def dearest(self) -> Decimal:
        return max(step.factor for step in self.steps)

    def charge(self, amount: int) -> int:
        """`amount` (a count; nano-units at cost for markups) times what each part of it costs, in millionths."""
        if self.mode == "volume":
            reached = next(step for step in self.steps if step.bound is None or amount <= step.bound)
            return amount * int(reached.factor * MICRO)
        total = below = 0
        for step in self.steps:
            upper = amount if step.bound is None else min(amount, step.bound)
            if upper > below:
                total += (upper - below) * int(step.factor * MICRO)
                below = upper
        return total


class PriceRule(BaseModel):
    """One rule of a plan: for models and kinds of unit, a `markup` on cost or a `rate` of the plan's own, or `tiers`.

    `model` is a name or a pattern with `*`. `rate` is in the plan's currency for what a rate of the kind
    counts (a million tokens, a minute, a piece); with kind `*` it is for all tokens, a markup for everything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=200)] = "*"
    kind: Kind = "*"
    markup: Factor | None = None
    rate: Factor | None = None
    tiers: Tiers | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(each is not None for each in (self.markup, self.rate, self.tiers)) != 1:
            raise ValueError("a price rule has either a markup or a rate or tiers")
        if self.tiers is not None and not self.tiers.by_rate and self.kind != "*":
            raise ValueError("tiers of markups are for all kinds: 'kind' must be '*'")
        return self

    @property
    def highest_rate(self) -> Decimal | None:
        """The rate, of tiers the dearest; None for markups."""
        if self.tiers is not None:
            return self.tiers.dearest if self.tiers.by_rate else None
        return self.rate

    @property
    def highest_markup(self) -> Decimal | None:
        """The markup, of tiers the dearest; None for rates."""
        if self.tiers is not None:
            return None if self.tiers.by_rate else self.tiers.dearest
        return self.markup

    def applies(self, model: str, kind: str) -> bool:
        return (
            self.kind == kind or (self.kind == "*" and (self.highest_rate is None or kind in TOKEN_KINDS))
        ) and fnmatchcase(model, self.model)


def separable(rules: tuple[PriceRule, ...]) -> tuple[PriceRule, ...]:
    """`rules` themselves. Raises ValueError where tiers of markups come after a markup for one kind: what they are
    counted by is a sum at cost, which could not be told from a record's price any more."""
    single = None
    for number, rule in enumerate(rules):
        if rule.highest_markup is None:
            continue
        if rule.kind != "*":
            single = number if single is None else single
        elif rule.tiers is not None and single is not None:
            raise ValueError(
                f"rule {number}, tiers of markups, cannot come after rule {single}, a markup for one kind"
            )
    return rules
