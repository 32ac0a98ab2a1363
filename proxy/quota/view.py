"""What people see of limits and holds: read from Redis, nothing written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson

from ledger.partitions import partition_of
from proxy.pipeline import RedisPipeline, Reply
from proxy.quota import keys
from proxy.quota.calendar import calendar_of
from proxy.quota.clock import instant, milliseconds
from proxy.quota.held import read_hold
from proxy.quota.limits import BUCKET_MS, LIMITS, MEASURES, SLOTS, LimitKind, Scope

COUNTED = tuple(kind for kind in LIMITS if kind.window != "stored")


@dataclass(frozen=True, slots=True)
class LimitState:
    """One limit of one scope now: requests, tokens, nano-money of the plan's currency, or bytes; -1 is unlimited.

    `held` is reserved by running requests and comes back in part; `used` is settled. `remaining` is -1 where the
    limit is. `resets_at` is when all of it is free again; None for what only ends with the requests themselves.
    """

    scope: str
    name: str
    limit: int
    used: int
    held: int
    remaining: int
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class HoldView:
    """A request that runs now, and what it holds (tokens; nano-money of the plan's currency)."""

    request_id: str
    organization_id: str
    key_id: str | None
    endpoint: str
    model: str
    stream: bool
    started_at: datetime
    expires_at: datetime
    tokens: int
    money: int
    delivered_tokens: int


class _Held(NamedTuple):
    """A hold, the bucket and the scopes that it is counted in. Only what is paced counts in the minute."""

    view: HoldView
    bucket: int
    scopes: list[str]
    paced: bool


async def read_holds(redis: RedisPipeline, organization_id: str) -> list[HoldView]:
    """The organization's holds, oldest first."""
    return [each.view for each in await _holds(redis, organization_id)]


async def read_quota(
    redis: RedisPipeline, organization_id: str, scopes: Sequence[Scope], time_zone: str, at: datetime
) -> list[LimitState]:
    """Every limit of the given scopes of one organization at `at`, in the order of the scopes and of COUNTED: what
    is kept upstream Redis alone can't tell.

    Raises RedisUnavailable, RedisReplyError, as read_holds does.
    """
    partition = partition_of(organization_id)
    span = calendar_of(time_zone).around(milliseconds(at))
    running = await _holds(redis, organization_id)
    states = []
    for scope in scopes:
        live = _numbers(await redis.execute("HGETALL", keys.live(partition, scope.id)))
        period = _numbers(await redis.execute("HGETALL", keys.period(partition, scope.id, span.start)))
        bucket = milliseconds(at) // BUCKET_MS
        inside = [each for each in running if scope.id in each.scopes and each.bucket > bucket - SLOTS]
        for kind in COUNTED:
            used, held = _used(kind, live, period, bucket, inside)
            states.append(state_of(scope, kind, used, held, at, instant(span.turn)))
    return states


def _used(
    kind: LimitKind,
    live: Mapping[str, int],
    period: Mapping[str, int],
    bucket: int,
    inside: Sequence[_Held],
) -> tuple[int, int]:
    if kind.window == "concurrent":
        return 0, live.get("c", 0)
    if kind.window == "period":
        return period.get(kind.measure, 0), period.get("h" + kind.measure, 0)
    held = len(inside) if kind.measure == "r" else sum(each.view.tokens for each in inside if each.paced)
    total = _minute(live, kind.measure, bucket)
    return max(0, total - held), min(total, held)


def _minute(live: Mapping[str, int], measure: str, bucket: int) -> int:
    """The minute's sum as the script would find it after rolling to `bucket`."""
    last = live.get("latest", 0)
    fresh = range(max(bucket - SLOTS, last - SLOTS) + 1, last + 1)
    return sum(live.get(f"{measure}{b % SLOTS}", 0) for b in fresh)


def state_of(scope: Scope, kind: LimitKind, used: int, held: int, at: datetime, turn: datetime) -> LimitState:
    limit = kind.of(scope.limits)
    remaining = -1 if limit < 0 else max(0, limit - used - held)
    resets_at = None
    if kind.window == "period":
        resets_at = turn
    elif kind.window == "minute":
        resets_at = at + timedelta(milliseconds=BUCKET_MS * SLOTS) if used + held else at
    return LimitState(scope.id, kind.name, limit, used, held, remaining, resets_at)


def _numbers(flat: Reply) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


async def _holds(redis: RedisPipeline, organization_id: str) -> list[_Held]:
    partition = partition_of(organization_id)
    listed = await redis.execute("ZRANGE", keys.holds(partition), 0, -1, "WITHSCORES")
    found = []
    for member, expiry in zip(listed[::2], listed[1::2], strict=True):
        request_id = member.decode()
        raw = await read_hold(redis, partition, request_id)
        if raw is None or "what" not in raw:
            continue
        what = orjson.loads(raw["what"])
        if what["record"]["organization_id"] != organization_id:
            continue
        view = HoldView(
            request_id,
            organization_id,
            what["record"]["key_id"],
            what["record"]["endpoint"],
            what["record"]["model"],
            what["record"]["stream"],
            instant(int(raw["at"])),
            instant(int(float(expiry))),
            int(raw[MEASURES[1]]),
            int(raw[MEASURES[2]]),
            int(raw.get("delivered", 0)),
        )
        found.append(_Held(view, int(raw["bucket"]), what["scopes"], raw.get("paced") != b"0"))
    found.sort(key=lambda each: each.view.started_at)
    return found
