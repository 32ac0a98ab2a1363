"""What this process knows and Redis has lost is brought back, in the order in which it passes from hand to hand."""

from proxy.record.recovery import Recovery
from proxy.record.settler import Settler
from proxy.running import Running


class Retaking:
    """A call that ends meanwhile is found at the next station: it runs, is being settled, or lies on the disk."""

    def __init__(self, running: Running, settler: Settler, recovery: Recovery) -> None:
        self._running = running
        self._settler = settler
        self._recovery = recovery

    async def retake(self, partitions: frozenset[int]) -> None:
        """As quota.epochs.Retake."""
        await self._running.retake(partitions)
        self._settler.doubt()
        await self._settler.at_rest()
        await self._recovery.once()
