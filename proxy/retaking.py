"""What this process knows and Redis has lost is brought back, in the order in which it passes from hand to hand."""

from proxy.deferred.holds import WorkHolds
from proxy.record.recovery import Recovery
from proxy.record.settler import Settler
from proxy.running import Running


class Retaking:
    """As quota.epochs.Known.

    A call that ends meanwhile is found at the next station: it runs, is being settled, or lies on the disk.
    """

    def __init__(self, running: Running, works: WorkHolds, settler: Settler, recovery: Recovery) -> None:
        self._running = running
        self._works = works
        self._settler = settler
        self._recovery = recovery

    async def bring_back(self, partitions: frozenset[int]) -> None:
        await self._running.retake(partitions)
        await self._works.retake(partitions, self._settler.works(partitions))
        await self._settler.lost(partitions)
        await self._recovery.once()

    async def opened(self, partitions: frozenset[int]) -> None:
        """What was let on meanwhile without Redis is seen by the others from now on."""
        await self._running.retake(partitions)
