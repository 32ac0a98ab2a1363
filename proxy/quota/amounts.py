"""What a request asks to hold, and what it is granted."""

from dataclasses import dataclass
from typing import NamedTuple


class Amounts(NamedTuple):
    """Used or held, in the order of MEASURES: requests, tokens, nano-money of the plan's currency, bytes."""

    requests: int
    tokens: int
    money: int
    traffic: int = 0


class Storage(NamedTuple):
    """What a call changed of what is kept upstream: bytes that were added, and whether something was deleted."""

    bytes: int = 0
    freed: bool = False


NOTHING = Amounts(0, 0, 0)
NOTHING_STORED = Storage()


class Hold(NamedTuple):
    """Which hold: where it lies, and in which counters it is counted. Redis corrects a wrong `period_start_ms`.
    `stores`: its call adds to what the organization keeps upstream, or takes from it."""

    partition: int
    request_id: str
    scopes: tuple[str, ...]
    period_start_ms: int
    stores: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request may come to: linear in the tokens of its answer.

    `least_output` is the smallest bound of the answer that is still worth a call; equal to `output` where the
    caller set the bound and it may not be lowered. `traffic` is what the request itself brought: how many bytes an
    answer has is not known before, so a limit of traffic ends with the answers that were under way. What
    is not `paced` is worked on when it suits the provider, and counts against the limits of the period alone. `stores`
    is how many bytes it may add to what is kept upstream: -1 where nobody knows, None where it adds nothing.
    """

    input_tokens: int
    input_money: int
    output: int
    least_output: int
    money_per_output_token: int
    traffic: int = 0
    paced: bool = True
    stores: int | None = None

    def amounts(self, output: int) -> Amounts:
        """With as many tokens of output."""
        return Amounts(
            1,
            self.input_tokens + output,
            self.input_money + output * self.money_per_output_token,
            self.traffic,
        )

    def row(self) -> tuple[str | int, ...]:
        """The measures as the admission script takes them: name, amount without output, amount per token."""
        return (
            4,
            *("r", 1, 0),
            *("t", self.input_tokens, 1),
            *("m", self.input_money, self.money_per_output_token),
            *("b", self.traffic, 0),
        )
