"""What is given back where a promised service was not kept."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from billing_worker.rating.charges import Charge, in_cents, lump
from billing_worker.rating.discounts import covering, groups, total, yearly_share
from billing_worker.rating.fees import Days
from billing_worker.rating.segments import Segment
from ledger.service_levels import ServiceLevel
from ledger.terms import Measure, Sla, SlaCredit

_HUNDRED: Final = 100


def given_back(
    segments: Sequence[Segment],
    charges: Sequence[Charge],
    days: Days,
    currency: str,
    measured: ServiceLevel | None,
) -> list[Charge]:
    """For each promise that was not kept, of what its time was charged for: fees and usage, after discounts.

    `measured` is of the whole span; without it nothing is given back.
    """
    found: list[Charge] = []
    if measured is None:
        return found
    for sla, numbers in groups(segments, currency, lambda terms: terms.sla).items():
        credit = highest(sla, measured)
        if credit is None:
            continue
        base = total(charges, numbers) + yearly_share(segments, days, numbers)
        back = in_cents(base * credit.percent / _HUNDRED)
        if back:
            facts = {
                "measure": credit.measure,
                "found": measured.of(credit.measure),
                "percent": credit.percent,
                "base": base,
                "currency": currency,
            }
            found.append(
                lump("sla_credit", "sla", covering(segments, numbers), -back, facts, segment=numbers[-1])
            )
    return found


def highest(sla: Sla, measured: ServiceLevel) -> SlaCredit | None:
    """The credit that gives back most of those that are due."""
    due = [credit for credit in sla.credits if _is_due(credit, measured.of(credit.measure))]
    return max(due, key=lambda credit: credit.percent, default=None)


class Broken(NamedTuple):
    """Percent, or of the latency milliseconds."""

    measure: Measure
    promised: Decimal
    found: Decimal


def broken(sla: Sla, measured: ServiceLevel) -> list[Broken]:
    """The promises that were not kept, whether or not something is given back for them."""
    promises: dict[Measure, Decimal | int | None] = {
        "uptime": sla.uptime_percent,
        "error_rate": sla.error_rate_percent,
        "latency": sla.latency_ms_p95,
    }
    found = []
    for measure, promised in promises.items():
        value = measured.of(measure)
        if promised is None or value is None:
            continue
        if value < promised if measure == "uptime" else value > promised:
            found.append(Broken(measure, Decimal(promised), value))
    return found


def _is_due(credit: SlaCredit, value: Decimal | None) -> bool:
    if value is None:
        return False
    if credit.below is not None:
        return value < credit.below
    return credit.above is not None and value > credit.above
