"""What programs use of the machine, read from /proc. A program that has ended meanwhile counts for nothing."""

import os
import signal
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def descendants(root: int) -> list[int]:
    """Process ids: `root` and all below it."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (stat := _read(entry / "stat")) is not None:
            # The name before the last parenthesis may hold anything.
            children[int(stat.rpartition(")")[2].split()[1])].append(int(entry.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def threads(pid: int) -> list[int]:
    try:
        return [int(entry.name) for entry in (_PROC / str(pid) / "task").iterdir()]
    except OSError:
        return []


def command(pid: int) -> list[str]:
    return (_read(_PROC / str(pid) / "cmdline") or "").split("\0")


def cpu_seconds(pids: Iterable[int]) -> float:
    """What their threads ran, user and system together, to the nanosecond."""
    total = 0
    for pid in pids:
        for thread in threads(pid):
            told = _read(_PROC / str(pid) / "task" / str(thread) / "schedstat")
            total += int(told.split()[0]) if told else 0
    return total / 1e9


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory that lies in RAM; pages that several share count for each."""
    told = (_read(_PROC / str(pid) / "statm") for pid in pids)
    return sum(int(text.split()[1]) * _PAGE for text in told if text)


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """The program does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return None
