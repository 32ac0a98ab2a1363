"""Whether everything served was recorded and counted, once. No I/O.

A call that ran to its end must be the same in all books, to the token. One that broke off lies between what its
client was given and what the upstream gave: what was on its way then, nobody was given. One whose proxy was killed is
recorded from the last renewal of its hold, so what passed after that is missing: at most `lost_bound` tokens. What
nobody can tell any more is a call of a killed proxy whose hold Redis loses, too, before it was swept.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from loadtests.conservation.books import Counters
from loadtests.conservation.clients import Seen
from loadtests.conservation.stage import Tenant

_CUT_WORD: Final = 3
"""Half a word may be more tokens than the whole."""
_MINUTE: Final = timedelta(seconds=60)


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
    wiped: Sequence[datetime],
) -> Verdict:
    verdict = Verdict(calls=len(seen), recorded=len(rows))
    by_label = _by_label(rows, verdict)
    known = {call.label for call in seen}
    for label in served.keys() | by_label.keys():
        if label not in known:
            verdict.wrong(f"{label} is in the books, but nobody called it")
    for call in seen:
        _judge_call(verdict, call, served.get(call.label, ()), by_label.get(call.label), lost_bound)
    for tenant in tenants:
        own = [row for row in rows if row["organization_id"] == tenant.organization_id]
        _judge_counters(verdict, tenant, own, counters[tenant.organization_id])
        _judge_limits(verdict, tenant, own, wiped)
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


def judge_rebuilt(
    verdict: Verdict, counters: Mapping[str, Counters], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Counters that were rebuilt after Redis lost them, before they were mended: too high at the most, never too low,
    so that nobody could spend more than they may."""
    for organization_id, counted in counters.items():
        own = [row for row in rows if row["organization_id"] == organization_id]
        tokens = sum(row["input_tokens"] + row["output_tokens"] for row in own)
        if counted.known and (counted.requests < len(own) or counted.tokens < tokens):
            verdict.wrong(f"{organization_id}: {len(own)} requests, {tokens} tokens, but counted {counted}")


def _judge_limits(
    verdict: Verdict, tenant: Tenant, rows: Sequence[Mapping[str, Any]], wiped: Sequence[datetime]
) -> None:
    """A month is never passed. A minute begins anew where Redis has lost it."""
    month = tenant.limits.get("tokens_per_month")
    used = sum(row["input_tokens"] + row["output_tokens"] for row in rows)
    if month is not None and used > month:
        verdict.wrong(f"{tenant.organization_id} used {used} tokens of {month}")
    minute = tenant.limits.get("requests_per_minute")
    if minute is not None:
        times = [row["occurred_at"] for row in rows]
        for at, begun in enumerate(times):
            within = sum(1 for other in times[at:] if other - begun < _MINUTE)
            begins = 1 + sum(1 for lost in wiped if begun - _MINUTE < lost < begun + _MINUTE)
            if within > minute * begins:
                verdict.wrong(f"{tenant.organization_id}: {within} requests within a minute of {minute}")
                return


def _of(row: Mapping[str, Any]) -> str:
    return f"{row['input_tokens']}+{row['output_tokens']} ({row['outcome']}, {row['usage_source']})"


def by_outcome(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        found[row["outcome"]] += 1
    return dict(found)
