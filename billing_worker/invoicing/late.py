"""What is still owed for time that is billed already: what it comes to now, less what was billed of it. Pure.

A record that came late, or a plan that was changed after its invoice, shows as the difference of two ratings. Each
kind of line is compared on its own, so that a quota that was not used up, a tier, a discount or a minimum is counted
as if all had been known at once: however usage is spread over invoices, their sum is the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_decimal

from ledger.closings import Billed, Covered
from ledger.invoice import InvoiceLine, Language, LineKind
from ledger.periods import Period, days_of

Key = tuple[LineKind, str | None, str | None]
"""Kind, project and model."""

_DAY = timedelta(days=1)
_ONE = Decimal(1)
_ZERO = Decimal("0.00")
_USED_LATE: dict[Language, str] = {
    "en": "{model}{of_project}: {tokens} tokens in {requests} requests, recorded after that time was invoiced",
    "fr": "{model}{of_project} : {tokens} jetons en {requests} requêtes, enregistrés après sa facturation",
}
_CORRECTED: dict[Language, str] = {
    "en": "{text} (difference to what was invoiced)",
    "fr": "{text} (différence avec ce qui a été facturé)",
}
_GONE: dict[Language, str] = {
    "en": "No longer due for {first} to {last}",
    "fr": "N'est plus dû du {first} au {last}",
}


@dataclass(frozen=True, slots=True)
class Surplus:
    """Usage of a day that was not billed yet."""

    project_id: str
    model: str
    period: Period
    requests: int
    tokens: int
    price_nano: int


def surplus(now: Iterable[Covered], before: Iterable[Covered], span: Period) -> list[Surplus]:
    """By day, project and model, what `now` has more than `before`; where they agree, nothing."""
    known: Mapping[tuple[object, str, str], Covered] = {
        (each.starts_at, each.project_id, each.model): each for each in before
    }
    found = []
    for each in now:
        past = known.get((each.starts_at, each.project_id, each.model))
        requests = each.requests - (past.requests if past else 0)
        if requests:
            midnight = each.starts_at.replace(hour=0, minute=0, second=0, microsecond=0)
            found.append(
                Surplus(
                    each.project_id,
                    each.model,
                    Period(each.starts_at, min(midnight + _DAY, span.end)),
                    requests,
                    each.tokens - (past.tokens if past else 0),
                    each.price_nano - (past.price_nano if past else 0),
                )
            )
    return found


def owed(
    lines: Sequence[InvoiceLine],
    billed: Iterable[Billed],
    surplus: Sequence[Surplus],
    *,
    span: Period,
    organization_id: str,
    language: Language,
    time_zone: str,
) -> tuple[InvoiceLine, ...]:
    """The difference of `lines`, which is the span as rated now, and what was billed of it, kind by kind.

    Where usage came late, its lines have its true dates. Differences may be below zero.
    """
    wanted: dict[Key, Decimal] = {}
    first: dict[Key, InvoiceLine] = {}
    for line in lines:
        key = (line.kind, line.project, line.model)
        wanted[key] = wanted.get(key, _ZERO) + line.net
        first.setdefault(key, line)
    paid = {(each.kind, each.project, each.model): each for each in billed}
    found = []
    for key in (*wanted, *(key for key in paid if key not in wanted)):
        before = paid.get(key)
        difference = wanted.get(key, _ZERO) - (before.net if before else _ZERO)
        if difference:
            came = [each for each in surplus if (each.project_id or None, each.model) == key[1:]]
            model = first.get(key) or _bare(key, before, span, organization_id, language, time_zone)
            found.append(_difference(model, difference, came, language))
    return tuple(found)


def _difference(
    line: InvoiceLine, difference: Decimal, came: Sequence[Surplus], language: Language
) -> InvoiceLine:
    if came and line.model is not None:
        period = Period(min(each.period.start for each in came), max(each.period.end for each in came))
        description = _USED_LATE[language].format(
            model=line.model,
            of_project=f" ({line.project_name})" if line.project_name else "",
            tokens=format_decimal(sum(each.tokens for each in came), locale=language),
            requests=format_decimal(sum(each.requests for each in came), locale=language),
        )
    else:
        period = line.period
        description = _CORRECTED[language].format(text=line.description)
    return replace(
        line,
        description=description,
        period=period,
        quantity=_ONE if difference > 0 else -_ONE,
        unit="C62",
        unit_price=abs(difference),
        base_quantity=_ONE,
        net=difference,
    )


def _bare(
    key: Key, before: Billed | None, span: Period, organization_id: str, language: Language, time_zone: str
) -> InvoiceLine:
    """For what was billed and is not due any more at all."""
    kind, project, model = key
    first, last = (format_date(day, "medium", locale=language) for day in days_of(span, time_zone))
    return InvoiceLine(
        kind=kind,
        description=_GONE[language].format(first=first, last=last),
        quantity=_ONE,
        unit="C62",
        unit_price=_ZERO,
        base_quantity=_ONE,
        net=_ZERO,
        vat_category="S",
        vat_rate=_ZERO,
        period=span,
        organization_id=organization_id,
        project=project,
        project_name=before.project_name if before else None,
        model=model,
    )
