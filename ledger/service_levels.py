"""How well an organization was served over a time, from its usage records."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from ledger.database import Connection
from ledger.periods import Period
from ledger.terms import Measure

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
_MEASURE: Final = f"""
    with minutes as (
        select date_trunc('minute', occurred_at, 'UTC') as minute,
               count(*) as requests, count(*) filter (where {_FAILED}) as failed
          from usage where organization_id = $1 and occurred_at >= $2 and occurred_at < $3 group by 1
    )
    select coalesce(sum(requests), 0)::bigint as requests, coalesce(sum(failed), 0)::bigint as failed,
           count(*) filter (where failed * 2 > requests) as minutes_down,
           (select percentile_disc(0.95) within group (order by coalesce(first_byte_ms, duration_ms))
              from usage where organization_id = $1 and occurred_at >= $2 and occurred_at < $3 and not {_FAILED}
           ) as latency_ms_p95
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


async def measure(connection: Connection, organization_id: str, period: Period) -> ServiceLevel:
    """Of `period`, half-open. Calls that were refused, or never reached a proxy, left no record and are not in it."""
    row = await connection.fetchrow(_MEASURE, organization_id, period.start, period.end, timeout=_SECONDS)
    assert row is not None  # an aggregate always has its row
    return ServiceLevel(
        minutes=-((period.start - period.end) // _MINUTE),
        minutes_down=row["minutes_down"],
        requests=row["requests"],
        failed=row["failed"],
        latency_ms_p95=row["latency_ms_p95"],
    )
