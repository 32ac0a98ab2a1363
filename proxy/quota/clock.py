"""Redis' clock, the only one that quotas know, as last seen from here."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic_ns


class RedisClock:
    """Tells Redis' time between replies by the monotonic clock; every reply that carries a time corrects it.

    The nodes of a cluster have clocks of their own, so what a partition's node said goes before what another did.
    """

    def __init__(self, ticks: Callable[[], int] = monotonic_ns) -> None:
        self._ticks = ticks
        self._offset_ms: int | None = None
        self._offsets_ms: dict[int, int] = {}

    def saw(self, redis_ms: int, partition: int | None = None) -> None:
        self._offset_ms = redis_ms - self._ticks() // 1_000_000
        if partition is not None:
            self._offsets_ms[partition] = self._offset_ms

    @property
    def known(self) -> bool:
        return self._offset_ms is not None

    def now_ms(self, partition: int | None = None) -> int:
        """Unix milliseconds, by another node's clock until the partition's was seen.

        Raises RuntimeError before Redis was seen once.
        """
        if self._offset_ms is None:
            raise RuntimeError("Redis' time is not known yet")
        offset_ms = self._offset_ms if partition is None else self._offsets_ms.get(partition, self._offset_ms)
        return self._ticks() // 1_000_000 + offset_ms


def instant(ms: int) -> datetime:
    """Unix milliseconds as an aware time."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def milliseconds(moment: datetime) -> int:
    """An aware time as unix milliseconds."""
    return round(moment.timestamp() * 1000)
