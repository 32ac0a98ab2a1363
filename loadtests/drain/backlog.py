"""Records in Redis that wait for the drain, as a proxy would have written them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from redis import Redis

from ledger.ids import new_id
from ledger.partitions import PARTITIONS
from ledger.usage import Usage
from ledger.usage_record import UsageRecord
from loadtests.stand.load import MODEL
from loadtests.stand.product import Tenant
from proxy.quota import keys
from proxy.record import form

_AT_ONCE: Final = 2_000
_MARK: Final = "req_of_the_measurement"


def fill(redis_url: str, tenant: Tenant, count: int) -> None:
    """Spreads `count` records of calls that are over across all partitions."""
    sample = form.write(_record(tenant, datetime.now(UTC) - timedelta(seconds=1)))
    before, after = sample.split(_MARK.encode())
    with Redis.from_url(redis_url) as redis:
        for start in range(0, count, _AT_ONCE):
            pipeline = redis.pipeline(transaction=False)
            for number in range(start, min(count, start + _AT_ONCE)):
                payload = before + new_id("req").encode() + after
                pipeline.execute_command("XADD", keys.stream(number % PARTITIONS), "*", "d", payload)
            pipeline.execute()


def waiting(redis_url: str) -> int:
    """How many are left."""
    with Redis.from_url(redis_url) as redis:
        pipeline = redis.pipeline(transaction=False)
        for partition in range(PARTITIONS):
            pipeline.xlen(keys.stream(partition))
        return sum(pipeline.execute())


def _record(tenant: Tenant, at: datetime) -> UsageRecord:
    return UsageRecord(
        request_id=_MARK,
        occurred_at=at,
        organization_id=tenant.organization_id,
        project_id=None,
        key_id=tenant.key_id,
        member_id=None,
        endpoint="chat.completions",
        model=MODEL,
        upstream="openai",
        stream=False,
        status=200,
        outcome="completed",
        usage=Usage(input_tokens=46, output_tokens=24),
        usage_source="provider",
        cost_nano_usd=21_300,
        cost_nano_eur=18_400,
        price_nano=21_300,
        price_nano_eur=18_400,
        currency="EUR",
        usd_per_eur=Decimal("1.157600"),
        price_ref=MODEL,
        request_bytes=310,
        response_bytes=860,
        first_byte_ms=8,
        duration_ms=9,
        search_term=None,
        price_nano_tokens=21_300,
    )
