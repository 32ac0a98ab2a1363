"""How well an organization was served over a time, from its usage records, also those that are archived."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from ledger.archive.usage import NOWHERE, ArchivedUsage
from ledger.database import Connection
from ledger.periods import Period
from ledger.terms import Measure
from ledger.usage_filter import Filter

_SECONDS: Final = 60.0
_HUNDRED: Final = 100
_MINUTE: Final = timedelta(minutes=1)

# An error of ours or of the upstream's, nobody knows what, or an answer that broke off. A turn of a realtime session is
# also stopped by a limit of its caller's.
_FAILED: Final = """(
    status >= 500 or status = 0
    or (status < 400 and (outcome in ('upstream_error', 'upstream_cut', 'expired')
                          or (outcome = 'stopped' and endpoint not like '%/realtime%')))
)"""
# Of rows that are archived $4 to $8 are minutes and $9 to $13 milliseconds, counted by what is judged above.
_MEASURE: Final = f"""
    with own as not materialized (
        select date_trunc('minute', occurred_at, 'UTC') as minute, coalesce(first_byte_ms, duration_ms) as ms,
               {_FAILED} as is_failed
          from usage where organization_id = $1 and occurred_at >= $2 and occurred_at < $3
    ), minutes as (
        select minute, sum(n) as requests, sum(n) filter (where is_failed) as failed
          from (select minute, is_failed, count(*) as n from own group by 1, 2
                union all
                select minute, {_FAILED}, n
                  from unnest($4::timestamptz[], $5::smallint[], $6::text[], $7::text[], $8::bigint[])
                       as archived (minute, status, outcome, endpoint, n)) as counted
         group by 1
    ), waits as (
        select ms, sum(sum(n)) over (order by ms) as reached, sum(sum(n)) over () as total
          from (select ms, count(*) as n from own where not is_failed group by 1
                union all
                select ms, n
                  from unnest($9::integer[], $10::smallint[], $11::text[], $12::text[], $13::bigint[])
                       as archived (ms, status, outcome, endpoint, n) where not {_FAILED}) as counted
         group by ms
    )
    select coalesce(sum(requests), 0)::bigint as requests, coalesce(sum(failed), 0)::bigint as failed,
           count(*) filter (where failed * 2 > requests) as minutes_down,
           (select min(ms) from waits where reached >= 0.95 * total) as latency_ms_p95
      from minutes
"""


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """`minutes_down` of `minutes` are those in which more than half of the requests failed; one without requests is up.

    `latency_ms_p95` is how long 95 of 100 requests that did not fail waited at most for the first byte; None without.
    """

    minutes: int
    minutes_down: int
    requests: int
    failed: int
    latency_ms_p95: int | None

    def of(self, measure: Measure) -> Decimal | None:
        """Percent to three places, rounded against us; of the latency milliseconds. None where nothing was measured."""
        if measure == "latency":
            return None if self.latency_ms_p95 is None else Decimal(self.latency_ms_p95)
        bad, of = (self.minutes_down, self.minutes) if measure == "uptime" else (self.failed, self.requests)
        if not of:
            return None
        share = Decimal(-(-bad * _HUNDRED * 1000 // of)).scaleb(-3)
        return _HUNDRED - share if measure == "uptime" else share


async def measure(
    connection: Connection, organization_id: str, period: Period, archive: ArchivedUsage = NOWHERE
) -> ServiceLevel:
    """Of `period`, half-open. Calls that were refused, or never reached a proxy, left no record and are not in it.

    Raises ArchiveUnavailable where some of it is archived and can't be had.
    """
    archived = await archive.answers(connection, Filter(period.start, period.end, organization_id))
    row = await connection.fetchrow(
        _MEASURE,
        *(organization_id, period.start, period.end),
        *_columns(archived.minutes),
        *_columns(archived.waits),
        timeout=_SECONDS,
    )
    assert row is not None  # an aggregate always has its row
    return ServiceLevel(
        minutes=-((period.start - period.end) // _MINUTE),
        minutes_down=row["minutes_down"],
        requests=row["requests"],
        failed=row["failed"],
        latency_ms_p95=row["latency_ms_p95"],
    )


def _columns(counted: Mapping[tuple[Any, ...], int]) -> list[list[Any]]:
    """The four parts of the keys, and the counts."""
    return [list(column) for column in zip(*((*key, n) for key, n in counted.items()), strict=True)] or [
        [] for _ in range(5)
    ]
