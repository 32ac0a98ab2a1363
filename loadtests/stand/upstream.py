"""The provider of a measurement: one that answers at once, or streams at the pace that it is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests.stand.ports import accepts, free_ports
from runtime.child import Child, Program


@dataclass(frozen=True)
class Upstream:
    port: int
    pid: int


@contextmanager
def upstream(program: Path) -> Iterator[Upstream]:
    """`program` as compiled. To be called by the main thread."""
    (port,) = free_ports(1)
    child = Child(Program(name="upstream", argv=[str(program), str(port)], ready=accepts(port)))
    try:
        child.wait_ready()
        yield Upstream(port, child.pid)
    finally:
        child.stop()
