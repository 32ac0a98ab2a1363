"""One run: all targets stand side by side and are called in turn, round after round, so that they share the machine's
moods; the figure of a scenario is the median of its rounds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from loadtests.bench.peers import need, peer
from loadtests.bench.scenarios import Scenario
from loadtests.stand.cores import Cores, divide, starting_on
from loadtests.stand.load import Load, Seen, Target
from loadtests.stand.ports import free_ports
from loadtests.stand.processes import cpu_seconds, descendants, resident_bytes
from loadtests.stand.product import Product, product
from loadtests.stand.programs import compiled
from loadtests.stand.stores import Stores, stores
from loadtests.stand.upstream import Upstream, upstream

OURS = "tollkeeper"
DIRECT = "direct"


@dataclass(frozen=True)
class Figure:
    """Of one target in one scenario. `cpu` are microseconds per call, of a stream per chunk, by what used them."""

    target: str
    scenario: str
    rate: float
    p50: float
    p99: float
    first_p50: float
    relay_p50: float
    relay_p99: float
    chunk_rate: float
    stalls: int
    errors: int
    reason: str
    cpu: Mapping[str, float]
    resident_mb: float


@dataclass(frozen=True)
class Wish:
    targets: Sequence[str]
    scenarios: Sequence[Scenario]
    rounds: int
    durable: bool


@dataclass(frozen=True)
class Measured:
    """What is called, its processes, and those of the servers that work for it; `before` a scenario makes it ready."""

    target: Target
    root: Callable[[], list[int]]
    others: Mapping[str, Callable[[], list[int]]] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Told:
    figures: list[Figure]
    ready_seconds: float
    """From the command to the ready line with servers up, of a start that found everything made; 0 without us."""
    apart: bool


def run(wish: Wish, show: Callable[[Figure], None]) -> Told:
    """Raises StandError where something is missing. To be called by the main thread."""
    for name in wish.targets:
        if name not in (OURS, DIRECT):
            need(name)
    cores = divide(1)
    with ExitStack() as stack:
        stack.enter_context(starting_on(cores.rest))
        servers = stack.enter_context(stores(durable=wish.durable))
        programs = compiled(servers.folder)
        answering = stack.enter_context(upstream(programs.upstream))
        load = Load(programs.load, servers.folder)
        ready, measured = 0.0, {}
        for name in wish.targets:
            if name == DIRECT:
                measured[name] = Measured(Target(answering.port), list, _upstream(answering))
            elif name == OURS:
                ours = _ours(stack, servers, answering.port, cores)
                ready = ours.ready_seconds
                measured[name] = _product(ours, servers, answering)
            else:
                measured[name] = _peer(stack, name, servers, answering, cores)
        figures = []
        for scenario in wish.scenarios:
            for figure in _rounds(load, measured, scenario, wish.rounds):
                show(figure)
                figures.append(figure)
        return Told(figures, ready, cores.apart)


def _ours(stack: ExitStack, servers: Stores, upstream_port: int, cores: Cores) -> Product:
    # The first start makes the schema; what a user waits for is every other.
    with product(servers, upstream_port, cores):
        pass
    return stack.enter_context(product(servers, upstream_port, cores))


def _product(running: Product, servers: Stores, answering: Upstream) -> Measured:
    return Measured(
        running.tenant().target,
        lambda: running.pids("proxy"),
        {
            "drain": lambda: running.pids("drain"),
            "redis": lambda: _tree(servers.redis),
            "postgres": lambda: _tree(servers.postgres),
            **_upstream(answering),
        },
        before=running.drained,
    )


def _peer(stack: ExitStack, name: str, servers: Stores, answering: Upstream, cores: Cores) -> Measured:
    (port,) = free_ports(1)
    with starting_on(cores.measured):
        pid, target = stack.enter_context(
            peer(name, servers.folder, port, answering.port, servers.redis_port)
        )
    return Measured(
        target, lambda: _tree(pid), {"redis": lambda: _tree(servers.redis), **_upstream(answering)}
    )


def _upstream(answering: Upstream) -> dict[str, Callable[[], list[int]]]:
    return {"upstream": lambda: [answering.pid]}


def _tree(pid: int) -> list[int]:
    return descendants(pid) if pid else []


def _rounds(
    load: Load, measured: Mapping[str, Measured], scenario: Scenario, rounds: int
) -> Iterator[Figure]:
    taken: dict[str, list[Figure]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, each in measured.items():
            for other in measured.values():
                other.before()
            taken[name].append(_once(load, name, each, scenario))
    for figures in taken.values():
        by = _relay if scenario.streams else _rate
        yield sorted(figures, key=by)[len(figures) // 2]


def _rate(figure: Figure) -> float:
    return figure.rate


def _relay(figure: Figure) -> float:
    return figure.relay_p99


def _once(load: Load, name: str, measured: Measured, scenario: Scenario) -> Figure:
    parts = {name: measured.root, **measured.others}
    before: dict[str, float] = {}

    def measuring() -> None:
        before.update({part: cpu_seconds(pids()) for part, pids in parts.items()})

    seen = load.run(measured.target, scenario.wish, measuring)
    after = {part: cpu_seconds(pids()) for part, pids in parts.items()}
    done = max(1, seen.chunks if scenario.streams else seen.calls)
    cpu = {part: (after[part] - before.get(part, 0.0)) / done * 1e6 for part in parts}
    return _figure(name, scenario, seen, cpu, resident_bytes(measured.root()) / 1e6)


def _figure(
    name: str, scenario: Scenario, seen: Seen, cpu: Mapping[str, float], resident_mb: float
) -> Figure:
    return Figure(
        target=name,
        scenario=scenario.name,
        rate=seen.rate,
        p50=seen.took.p50,
        p99=seen.took.p99,
        first_p50=seen.first.p50,
        relay_p50=seen.relayed.p50,
        relay_p99=seen.relayed.p99,
        chunk_rate=seen.chunks / seen.seconds,
        stalls=seen.stalls,
        errors=seen.errors,
        reason=seen.reason,
        cpu=cpu,
        resident_mb=resident_mb,
    )
