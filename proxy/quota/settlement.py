"""The questions that end, renew or seed a hold. No I/O."""

from collections.abc import Sequence
from typing import Final, Literal

from proxy.pipeline import Argument
from proxy.quota import keys
from proxy.quota.amounts import NOTHING_STORED, Amounts, Hold, Storage
from proxy.quota.limits import MEASURES

Mode = Literal["settle", "late", "sweep", "release"]

REMEMBER_SECONDS: Final[dict[Mode, int]] = {"settle": 120, "late": 120, "release": 120, "sweep": 86_400}
"""How long a repeated settlement is recognised. A proxy resends within seconds; one that was frozen until its hold
was swept may come back much later."""

DONE, DONE_BEFORE, DONE_WITHOUT_HOLD, FORGOTTEN = 1, 0, 2, -1
"""Replies of the settlement script; a larger one is the start of the period that the hold was booked in. FORGOTTEN,
of the script that keeps a hold too: Redis can't tell whether it was done."""

SEEDED_LESS = -1
"""Reply of the seeding script: what was settled there meanwhile is in the ledger's sums, or may be."""
_SETTLED: Final = b"u:"

RENEWED, HOLD_SWEPT, HOLD_UNKNOWN = 1, 0, 2
"""Replies of the renewal script."""


def settle(
    hold: Hold,
    used: Amounts,
    record: bytes,
    mode: Mode = "settle",
    *,
    more: Sequence[bytes] = (),
    remember_seconds: int | None = None,
    storage: Storage = NOTHING_STORED,
) -> tuple[list[str], list[Argument]]:
    """KEYS and ARGV of the settlement script. `more`: further records of the same work."""
    partition, request_id, scopes, period_start_ms, stores = hold
    names = [keys.hold(partition, request_id), keys.holds(partition), keys.stream(partition)]
    for scope in scopes:
        names.append(keys.live(partition, scope))
        names.append(keys.period(partition, scope, period_start_ms))
    if stores and scopes:
        names.append(keys.storage(partition, scopes[0]))
    arguments: list[Argument] = [request_id, mode, remember_seconds or REMEMBER_SECONDS[mode], record]
    arguments += (period_start_ms, len(MEASURES))
    for measure, amount in zip(MEASURES, used, strict=True):
        arguments += (measure, amount)
    return names, [*arguments, storage.bytes, int(storage.freed), *more]


def keep(
    hold: Hold, life_ms: int, most_output: int, draft: bytes, work_id: str, work: bytes, *, sure: bool
) -> tuple[list[str], list[Argument]]:
    """KEYS and ARGV of the script that lets a hold stand for work that goes on. `sure`: this was not done before."""
    partition, request_id = hold.partition, hold.request_id
    names = [keys.hold(partition, request_id), keys.holds(partition), keys.stream(partition)]
    return [*names, keys.work(partition, work_id)], [
        *(request_id, life_ms, most_output),
        *(draft, work, int(sure)),
    ]


def renew(partition: int, request_id: str, ttl_ms: int, delivered: int) -> tuple[list[str], list[Argument]]:
    """KEYS and ARGV of the renewal script. `delivered`: output tokens so far."""
    return [keys.hold(partition, request_id), keys.holds(partition)], [request_id, ttl_ms, delivered]


def restore(
    hold: Hold, amounts: Amounts, *, at_ms: int, paced: bool, ttl_ms: int, delivered: int, what: bytes
) -> tuple[list[str], list[Argument]]:
    """KEYS and ARGV of the script that takes a hold again that Redis has lost. What it held of storage is counted anew
    before anybody is refused by it."""
    partition, request_id, scopes, period_start_ms, _ = hold
    names = [keys.hold(partition, request_id), keys.holds(partition)]
    for scope in scopes:
        names += (keys.live(partition, scope), keys.period(partition, scope, period_start_ms))
    arguments: list[Argument] = [request_id, ttl_ms, period_start_ms, at_ms, int(paced), delivered, what]
    arguments.append(len(MEASURES))
    for measure, amount in zip(MEASURES, amounts, strict=True):
        arguments += (measure, amount)
    return names, arguments


def seed(
    partition: int,
    scope: str,
    period_start_ms: int,
    used: Amounts,
    expire_at_s: int,
    left_out: int = 0,
    minute: Sequence[tuple[int, Amounts]] = (),
) -> tuple[list[str], list[Argument]]:
    """KEYS and ARGV of the seeding script. `used`, and by their buckets `minute`, are without the `left_out` requests
    that were settled there."""
    arguments: list[Argument] = [expire_at_s, left_out, len(MEASURES)]
    for measure, amount in zip(MEASURES, used, strict=True):
        arguments += (measure, amount)
    for bucket, amounts in minute:
        arguments += (bucket, *amounts)
    return [keys.period(partition, scope, period_start_ms), keys.live(partition, scope)], arguments


def settled_there(fields: Sequence[bytes]) -> list[str]:
    """Of the names in counters that are not seeded: the requests that were settled there."""
    return [name[len(_SETTLED) :].decode() for name in fields if name.startswith(_SETTLED)]
