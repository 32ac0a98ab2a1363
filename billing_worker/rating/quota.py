"""What a period's usage is against the tokens that its plans include: in order of time, up to the last included one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from math import ceil
from typing import Any

from billing_worker.rating.segments import Segment
from billing_worker.rating.usage import UsageEntry, UsageSource, UsageSum, summed
from ledger.limits import UNLIMITED
from ledger.periods import Period
from ledger.rating import half_even
from ledger.token_packs import TokenPack
from ledger.usage import TOKENS, Usage

_HOUR = timedelta(hours=1)
_NOTHING: tuple[UsageSum, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentUsage:
    """Of `included` the tokens' part of the price is waived; `charged` is what goes beyond, or knows no quota."""

    segment: Segment
    included: tuple[UsageSum, ...]
    charged: tuple[UsageSum, ...]


def metered(segment: Segment) -> bool:
    """Whether tokens of it are taken from what is included."""
    return segment.terms is not None and segment.terms.monthly_quota != UNLIMITED and not segment.trial


def included_tokens(segments: Sequence[Segment], whole: Period, packs: Sequence[TokenPack]) -> int:
    """What the plans of a period include, all in one: of each its share by time, rounded up once, and what was bought.

    A quota that is a limit counts in full, because calls are let through up to all of it however late the plan began.
    """
    share = Fraction()
    most = 0
    for segment in segments:
        if segment.terms is not None and metered(segment):
            time = Fraction((segment.period.end - segment.period.start) // timedelta(microseconds=1))
            share += (
                segment.terms.monthly_quota * time / ((whole.end - whole.start) // timedelta(microseconds=1))
            )
            if segment.terms.quota_is_limit:
                most = max(most, segment.terms.monthly_quota)
    return max(ceil(share), most) + sum(pack.tokens for pack in packs)


async def gather(
    source: UsageSource, organization_id: str, segments: Sequence[Segment], included: int
) -> tuple[SegmentUsage, ...]:
    """The usage of each segment; of those that are metered the first `included` tokens apart, in order of time."""
    left = included
    found = []
    for segment in segments:
        if not metered(segment):
            found.append(
                SegmentUsage(segment, _NOTHING, summed(await source.sums(organization_id, segment.period)))
            )
            continue
        usage = await _split(source, organization_id, segment, left)
        left -= sum(each.usage.total_tokens for each in usage.included)
        found.append(usage)
    return tuple(found)


async def _split(source: UsageSource, organization_id: str, segment: Segment, left: int) -> SegmentUsage:
    period = segment.period
    passed = 0
    for hour in await source.tokens_by_hour(organization_id, period):
        if passed + hour.tokens > left:
            break
        passed += hour.tokens
    else:
        return SegmentUsage(segment, summed(await source.sums(organization_id, period)), _NOTHING)
    full_hour = hour.start.replace(minute=0, second=0, microsecond=0)
    crossing = Period(hour.start, min(full_hour + _HOUR, period.end))
    included = list(await source.sums(organization_id, Period(period.start, crossing.start)))
    charged: list[UsageSum] = []
    left -= passed
    async for entry in source.entries(organization_id, crossing):
        within, beyond, left = _cut(entry, left, ran_out=bool(charged))
        included += within
        charged += beyond
        if len(included) + len(charged) > 10_000:
            included, charged = list(summed(included)), list(summed(charged))
    charged += await source.sums(organization_id, Period(crossing.end, period.end))
    return SegmentUsage(segment, summed(included), summed(charged))


def _cut(entry: UsageEntry, left: int, *, ran_out: bool) -> tuple[list[UsageSum], list[UsageSum], int]:
    """What of the record is included, what is not, and what is left for those after it."""
    tokens = entry.sum.usage.total_tokens
    if ran_out:
        return [], [entry.sum], 0
    if tokens <= left:
        return [entry.sum], [], left - tokens
    if left == 0:
        return [], [entry.sum], 0
    beyond = _last_tokens(entry.sum.usage, tokens - left)
    price = half_even(entry.sum.price_nano_tokens * (tokens - left), tokens)
    over = replace(
        entry.sum,
        requests=0,
        usage=beyond,
        price_nano=price,
        price_nano_tokens=price,
        request_bytes=0,
        response_bytes=0,
        stream_ms=0,
    )
    return [_without(entry.sum, over)], [over], 0


def _last_tokens(usage: Usage, count: int) -> Usage:
    """The last `count` tokens: output comes after input, text before what is a kind of its own."""
    output = min(count, usage.output_tokens)
    tokens: dict[str, Any] = {"input_tokens": count - output, "output_tokens": output}
    for name in TOKENS:
        if name not in tokens:
            tokens[name] = min(getattr(usage, name), output if name in _OF_OUTPUT else count - output)
    return Usage(**tokens)


_OF_OUTPUT = frozenset({"reasoning_tokens", "audio_output_tokens", "image_output_tokens"})


def _without(whole: UsageSum, part: UsageSum) -> UsageSum:
    rest: dict[str, Any] = {name: getattr(whole.usage, name) - getattr(part.usage, name) for name in TOKENS}
    return replace(
        whole,
        usage=replace(whole.usage, **rest),
        price_nano=whole.price_nano - part.price_nano,
        price_nano_tokens=whole.price_nano_tokens - part.price_nano_tokens,
    )
