"""Usage records of one organization that lie in its partition's stream: settled, and not known to be in the ledger."""

from collections.abc import AsyncIterator
from typing import Final

from ledger.usage_record import UsageRecord
from proxy.deferred.work import is_work
from proxy.pipeline import RedisPipeline
from proxy.quota import keys
from proxy.record import form

_PAGE: Final = 500


async def records_of(
    redis: RedisPipeline, partition: int, organization_id: str, latest: str
) -> AsyncIterator[UsageRecord]:
    """Those up to the entry `latest`, piece by piece: one that leaves the stream meanwhile is in the ledger by then.
    Raises
    RedisUnavailable, RedisReplyError."""
    start, stream = "-", keys.stream(partition)
    while page := await redis.execute("XRANGE", stream, start, latest, "COUNT", _PAGE):
        for _, fields in page:
            told = dict(zip(fields[::2], fields[1::2], strict=True))
            record = record_in(told.get(b"d", b""), organization_id)
            if record is not None:
                yield record
        start = f"({page[-1][0].decode()}"


def record_in(payload: bytes, organization_id: str) -> UsageRecord | None:
    """The organization's usage record; None for another's, for work, and for what can't be read."""
    if organization_id.encode() not in payload or is_work(payload):
        return None
    try:
        record = form.read(payload)
    except form.UnreadableRecord:
        return None
    return record if record.organization_id == organization_id else None
