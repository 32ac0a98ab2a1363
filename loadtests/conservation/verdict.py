"""Whether everything served was recorded and counted, once. No I/O.

A call that ran to its end must be the same in all books, to the token. One that broke off lies between what its
client was given and what the upstream gave: what was on its way then, nobody was given. One whose proxy was killed is
recorded from the last renewal of its hold, so what passed after that is missing: at most `lost_bound` tokens. Where
Redis loses its data just then, nobody is left who could tell of what that proxy had under way: no more calls than
those, and of each no more than it held.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from loadtests.conservation.books import Counters
from loadtests.conservation.clients import MOST_OUTPUT, Seen
from loadtests.conservation.stage import Loss, Tenant

_CUT_WORD: Final = 3
"""Half a word may be more tokens than the whole."""
_MINUTE: Final = timedelta(seconds=60)
_ON_ITS_WAY_SECONDS: Final = 2.0
"""How long a record is on its way to the ledger at the most when all is well."""


@dataclass
class Verdict:
    """`differences` is empty where everything is as it must be. Tokens are prompt and completion together."""

    differences: list[str] = field(default_factory=list)
    calls: int = 0
    recorded: int = 0
    served_tokens: int = 0
    recorded_tokens: int = 0
    exact: int = 0
    broken_off: int = 0
    on_the_way_tokens: int = 0
    killed: int = 0
    most_lost: int = 0
    lost: int = 0
    lost_tokens: int = 0

    def wrong(self, what: str) -> None:
        self.differences.append(what)


def judge(
    seen: Sequence[Seen],
    served: Mapping[str, Sequence[Mapping[str, Any]]],
    rows: Sequence[Mapping[str, Any]],
    counters: Mapping[str, Counters],
    tenants: Sequence[Tenant],
    *,
    lost_bound: int,
    losses: Sequence[Loss],
) -> Verdict:
    verdict = Verdict(calls=len(seen), recorded=len(rows))
    by_label = _by_label(rows, verdict)
    known = {call.label for call in seen}
    for label in served.keys() | by_label.keys():
        if label not in known:
            verdict.wrong(f"{label} is in the books, but nobody called it")
    for call in seen:
        entries, row = served.get(call.label, ()), by_label.get(call.label)
        if row is None and any(_was_under_way(call, loss) for loss in losses):
            _judge_lost(verdict, call, entries)
        else:
            _judge_call(verdict, call, entries, row, lost_bound)
    for tenant in tenants:
        own = [row for row in rows if row["organization_id"] == tenant.organization_id]
        _judge_counters(verdict, tenant, own, counters[tenant.organization_id])
        _judge_limits(verdict, tenant, own)
    return verdict


def _by_label(rows: Sequence[Mapping[str, Any]], verdict: Verdict) -> dict[str, Mapping[str, Any]]:
    for label, count in Counter(row["label"] for row in rows).items():
        if count > 1:
            verdict.wrong(f"{label} has {count} records")
    return {row["label"]: row for row in rows}


def _judge_call(
    verdict: Verdict,
    call: Seen,
    entries: Sequence[Mapping[str, Any]],
    row: Mapping[str, Any] | None,
    lost_bound: int,
) -> None:
    prompt = sum(entry["prompt_tokens"] for entry in entries)
    completion = sum(entry["completion_tokens_served"] for entry in entries)
    verdict.served_tokens += prompt + completion
    if row is None:
        if entries:
            verdict.wrong(f"{call.label} was served and has no record")
        if call.status is not None and call.status < 400:
            verdict.wrong(f"{call} has no record")
        return
    recorded = row["input_tokens"] + row["output_tokens"]
    verdict.recorded_tokens += recorded
    match row["outcome"]:
        case "completed":
            verdict.exact += 1
            if (row["input_tokens"], row["output_tokens"]) != (prompt, completion):
                verdict.wrong(f"{call.label}: recorded {_of(row)}, served {prompt}+{completion}")
            if call.tokens is not None and call.tokens != recorded:
                verdict.wrong(f"{call.label}: recorded {recorded}, its client was told {call.tokens}")
        case "expired":
            verdict.killed += 1
            lost = completion - row["output_tokens"]
            verdict.most_lost = max(verdict.most_lost, lost)
            if lost > lost_bound:
                verdict.wrong(f"{call.label}: {lost} tokens are missing of a killed proxy's call")
        case _:
            verdict.broken_off += 1
            verdict.on_the_way_tokens += prompt + completion - recorded
            # The upstream books an answer that is no stream when it is whole; its client got a part of it.
            if row["output_tokens"] > max(completion, 0 if call.stream else call.asked + _CUT_WORD):
                verdict.wrong(f"{call.label}: recorded {_of(row)}, but only {completion} were served")
            if row["output_tokens"] < call.events:
                verdict.wrong(f"{call.label}: recorded {_of(row)}, but its client was given {call.events}")


def _was_under_way(call: Seen, loss: Loss) -> bool:
    """Whether its record, if it had come to one, may not have been in the ledger yet."""
    return call.proxy == loss.proxy and call.began <= loss.at <= call.at + _ON_ITS_WAY_SECONDS


def _judge_lost(verdict: Verdict, call: Seen, entries: Sequence[Mapping[str, Any]]) -> None:
    if not entries:
        return
    held = sum(entry["prompt_tokens"] for entry in entries) + MOST_OUTPUT
    lost = sum(entry["prompt_tokens"] + entry["completion_tokens_served"] for entry in entries)
    verdict.lost += 1
    verdict.lost_tokens += lost
    if lost > held:
        verdict.wrong(f"{call.label}: {lost} tokens are lost with a hold of {held}")


def _judge_counters(
    verdict: Verdict, tenant: Tenant, rows: Sequence[Mapping[str, Any]], counted: Counters
) -> None:
    sums = (
        len(rows),
        sum(row["input_tokens"] + row["output_tokens"] for row in rows),
        sum(row["price_nano"] for row in rows),
    )
    if counted.known and sums != (counted.requests, counted.tokens, counted.money):
        verdict.wrong(f"{tenant.organization_id}: the ledger has {sums}, the counters {counted}")
    if counted.held or counted.running:
        verdict.wrong(f"{tenant.organization_id}: something is held still: {counted}")


def _judge_limits(verdict: Verdict, tenant: Tenant, rows: Sequence[Mapping[str, Any]]) -> None:
    month = tenant.limits.get("tokens_per_month")
    used = sum(row["input_tokens"] + row["output_tokens"] for row in rows)
    if month is not None and used > month:
        verdict.wrong(f"{tenant.organization_id} used {used} tokens of {month}")
    minute = tenant.limits.get("requests_per_minute")
    if minute is not None:
        times = [row["occurred_at"] for row in rows]
        for at, begun in enumerate(times):
            within = sum(1 for other in times[at:] if other - begun < _MINUTE)
            if within > minute:
                verdict.wrong(f"{tenant.organization_id}: {within} requests within a minute of {minute}")
                return


def _of(row: Mapping[str, Any]) -> str:
    return f"{row['input_tokens']}+{row['output_tokens']} ({row['outcome']}, {row['usage_source']})"


def by_outcome(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        found[row["outcome"]] += 1
    return dict(found)
