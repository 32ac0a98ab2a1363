"""Reads one organization's counters, holds, records on their way and ledger, all as of one instant of Redis."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog

from ledger import dead_letters
from ledger.database import Pool, reading
from ledger.usage_record import UsageRecord
from proxy.pipeline import RedisPipeline
from proxy.quota import keys
from proxy.quota.amounts import NOTHING, Amounts
from proxy.quota.clock import milliseconds
from proxy.quota.limits import MEASURES
from proxy.quota.scripts import source
from proxy.quota.sums import used_by, used_by_scope
from proxy.reconciliation.account import Account
from proxy.reconciliation.comparison import Held, Look
from proxy.record import draft, form
from proxy.record.stream import place_of
from proxy.record.waiting import record_in, records_of

_SECONDS: Final = 60.0
"""Bounds the summing up of one organization's period."""

_log = structlog.get_logger(__name__)


class Looks:
    """Raises RedisUnavailable, RedisReplyError and DatabaseUnavailable."""

    def __init__(self, redis: RedisPipeline, pool: Pool) -> None:
        self._redis = redis
        self._pool = pool
        self._look = redis.script(source("look"))

    async def look(self, account: Account) -> Look:
        latest, scopes, holds = await self._look_at(account)
        counters = _counters(account.scopes, scopes)
        on_their_way = await self._in_stream(account, latest)
        place = place_of(latest) or 0
        async with (
            reading(self._pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            for payload in await dead_letters.payloads(connection, keys.stream(account.partition), _SECONDS):
                record = record_in(payload, account.organization_id)
                if record is not None and record.occurred_at in account.period:
                    on_their_way[record.request_id] = record
            ledger = await used_by_scope(
                connection, account.organization_id, account.period, account.currency, place, _SECONDS
            )
            there = await connection.fetch(
                "select request_id from usage where request_id = any($1::text[])",
                list(on_their_way),
                timeout=_SECONDS,
            )
        for row in there:
            del on_their_way[row["request_id"]]
        return Look(
            counters,
            _held(account, counters, holds),
            {scope: ledger.get(scope, NOTHING) for scope in counters},
            _summed(counters, on_their_way.values(), account.currency),
        )

    async def _look_at(self, account: Account) -> tuple[str, list[Any], list[Any]]:
        partition, start = account.partition, milliseconds(account.period.start)
        names = [keys.stream(partition), keys.holds(partition)]
        for scope in account.scopes:
            names += (keys.live(partition, scope), keys.period(partition, scope, start))
        mark = f'"organization_id":"{account.organization_id}"'
        arguments: list[str | int] = [keys.hold(partition, ""), mark, len(MEASURES), *MEASURES]
        latest, scopes, holds = await self._redis.send_script(self._look, names, arguments)
        return latest.decode(), scopes, holds

    async def _in_stream(self, account: Account, latest: str) -> dict[str, UsageRecord]:
        """The organization's records of the period that lie in the stream, up to its entry `latest`."""
        lying = records_of(self._redis, account.partition, account.organization_id, latest)
        return {record.request_id: record async for record in lying if record.occurred_at in account.period}


def _counters(scopes: Sequence[str], replies: Sequence[Sequence[Any]]) -> dict[str, dict[str, int]]:
    """Of the scopes that have any: what is missing is rebuilt from the ledger at the next call."""
    found = {}
    for scope, (running, seeded, *values) in zip(scopes, replies, strict=True):
        if seeded is None:
            continue
        found[scope] = {"c": int(running or 0)}
        for measure, used, held in zip(MEASURES, values[::2], values[1::2], strict=True):
            found[scope] |= {measure: int(used or 0), "h" + measure: int(held or 0)}
    return found


def _held(account: Account, scopes: Iterable[str], holds: Sequence[Sequence[Any]]) -> dict[str, Held]:
    start = milliseconds(account.period.start)
    found = {scope: Held(NOTHING, 0) for scope in scopes}
    for what, begun, paced, *amounts in holds:
        try:
            made = draft.read(what)
        except form.UnreadableRecord as error:
            _log.error("a hold can't be read", reason=str(error)[:200])
            continue
        for scope in found.keys() & set(made.scopes):
            held = found[scope]
            inside = Amounts(*map(int, amounts)) if int(begun) == start else NOTHING
            found[scope] = Held(_added(held.amounts, inside), held.running + (paced != b"0"))
    return found


def _summed(scopes: Iterable[str], records: Iterable[UsageRecord], currency: str) -> Mapping[str, Amounts]:
    found = dict.fromkeys(scopes, NOTHING)
    for record in records:
        amounts, those = used_by(record, currency)
        for scope in found.keys() & set(those):
            found[scope] = _added(found[scope], amounts)
    return found


def _added(one: Amounts, other: Amounts) -> Amounts:
    return Amounts(*map(sum, zip(one, other, strict=True)))
