"""Work that goes on after its call was answered, and the records that come of it. No I/O."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import orjson

from ledger.price_rules import PriceRule
from ledger.rating import Tariff
from ledger.usage import Usage
from ledger.usage_record import UsageRecord, UsageSource
from proxy.pricing import Quote
from proxy.quota.amounts import Amounts, Hold
from proxy.quota.clock import instant
from proxy.record import draft, form
from proxy.record.draft import Draft

_MARK: Final = b'{"work":'


class Use(NamedTuple):
    """What was used of one model; an empty model is the call's own. `service_tier` is None where the answer names none:
    the one that was asked for."""

    model: str
    usage: Usage
    source: UsageSource = "provider"
    service_tier: str | None = None


Quoting = Callable[[str, Tariff, str, datetime], Quote]
"""As PriceBook.quote."""


@dataclass(frozen=True, slots=True)
class Work:
    """`id` is the provider's, `path` where it tells of it. `made` is the record if all that was held is charged but the
    output, `most_output` that. Times in ms; `tariff` and `service_tier` are those of the call's admission."""

    id: str
    kind: str
    path: str
    partition: int
    period_start_ms: int
    at_ms: int
    most_output: int
    tariff: Tariff
    service_tier: str
    made: Draft

    @property
    def hold(self) -> Hold:
        return Hold(self.partition, self.made.record.request_id, self.made.scopes, self.period_start_ms)

    def quoted(self, quoting: Quoting) -> Callable[[str], Quote]:
        """The standard price of a model when the call was admitted."""
        return lambda model: quoting(model, self.tariff, "default", instant(self.at_ms))

    def finished(
        self,
        uses: Sequence[Use],
        quoting: Quoting,
        now_ms: int,
        objects: Sequence[tuple[str, str]] = (),
    ) -> tuple[list[UsageRecord], Amounts]:
        """The records of what was used, one for each use, and what they come to together. The first is the call's own;
        nothing used is one record of nothing. `objects`: what it brought."""
        records: list[UsageRecord] = []
        for number, use in enumerate(uses or [Use("", Usage())]):
            model = use.model or self.made.record.model
            quote = quoting(model, self.tariff, use.service_tier or self.service_tier, instant(self.at_ms))
            money = quote.money(use.usage)
            record = self.made.record
            records.append(
                replace(
                    record,
                    request_id=f"{record.request_id}.{number + 1}" if number else record.request_id,
                    occurred_at=instant(self.at_ms),
                    model=model,
                    outcome="completed",
                    status=200,
                    usage=use.usage,
                    usage_source=use.source,
                    cost_nano_usd=money.cost_usd,
                    cost_nano_eur=money.cost_eur,
                    price_nano=money.price,
                    price_nano_eur=money.price_eur,
                    price_nano_tokens=money.price_tokens,
                    usd_per_eur=quote.usd_per_eur,
                    price_ref=quote.ref,
                    request_bytes=0 if number else record.request_bytes,
                    duration_ms=max(0, now_ms - self.at_ms),
                    objects=() if number else tuple({**dict(record.objects), **dict(objects)}.items()),
                )
            )
        return records, Amounts(
            1,
            sum(record.usage.total_tokens for record in records),
            sum(record.price_nano for record in records),
            self.made.record.request_bytes,
        )

    def lost(self, now_ms: int) -> tuple[list[UsageRecord], Amounts]:
        """As `finished`, where nobody can tell any more what was used: all that was held."""
        record, used = draft.expired(self.made, at_ms=self.at_ms, now_ms=now_ms, delivered=self.most_output)
        return [record], used


def write(work: Work) -> bytes:
    tariff = work.tariff
    return orjson.dumps(
        {
            "work": {name: getattr(work, name) for name in _PLAIN},
            "tariff": {
                "rules": [rule.model_dump(mode="json", exclude_none=True) for rule in tariff.rules],
                "price_per_request": str(tariff.price_per_request),
                "currency": tariff.currency,
            },
            "draft": orjson.Fragment(draft.write(work.made)),
        }
    )


_PLAIN: Final = (
    "id",
    "kind",
    "path",
    "partition",
    "period_start_ms",
    "at_ms",
    "most_output",
    "service_tier",
)


def is_work(payload: bytes) -> bool:
    """Whether an entry of the stream is work, not a usage record."""
    return payload.startswith(_MARK)


def read(data: bytes) -> Work:
    """Raises form.UnreadableRecord."""
    try:
        parts: dict[str, Any] = orjson.loads(data)
        tariff = parts["tariff"]
        return Work(
            **{name: parts["work"][name] for name in _PLAIN},
            tariff=Tariff(
                tuple(PriceRule.model_validate(rule) for rule in tariff["rules"]),
                Decimal(tariff["price_per_request"]),
                tariff["currency"],
            ),
            made=draft.read(orjson.dumps(parts["draft"])),
        )
    except form.UnreadableRecord:
        raise
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise form.UnreadableRecord(f"{type(error).__name__}: {error}") from None
