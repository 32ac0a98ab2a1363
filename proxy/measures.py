"""What one proxy process counts of itself, for Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from proxy.settled_calls import SettledCalls


class Measures:
    """A registry of its own for each process, so that two can live in one."""

    def __init__(self, running: Callable[[], int], unconfirmed: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self.settled = SettledCalls()
        self._registry.register(self.settled)
        self._refusals = Counter(
            "tollkeeper_refusals",
            "Requests refused before the hold",
            ["status", "code"],
            registry=self._registry,
        )
        self._unpriced = Counter(
            "tollkeeper_unpriced_kinds",
            "Records that hold a kind of usage without a rate of its own, charged at the model's dearest",
            ["kind"],
            registry=self._registry,
        )
        self._attempts = Counter(
            "tollkeeper_upstream_attempts",
            "Attempts at an upstream by the status it answered, or by what went wrong; an answer that broke off"
            " counts as both",
            ["upstream", "result"],
            registry=self._registry,
        )
        self._attempts_by_name: dict[tuple[str, str], Counter] = {}
        self._retries = Counter(
            "tollkeeper_upstream_retries",
            "Requests tried again at the same upstream, by what its answer was",
            ["upstream", "reason"],
            registry=self._registry,
        )
        self._fallbacks = Counter(
            "tollkeeper_upstream_fallbacks",
            "Requests tried at the next upstream, by what the first one's answer was",
            ["upstream", "to", "reason"],
            registry=self._registry,
        )
        self._breakers = Gauge(
            "tollkeeper_upstream_breaker",
            "Whether an upstream is asked (0), tried with one request (1), or left alone (2)",
            ["upstream"],
            registry=self._registry,
        )
        Gauge("tollkeeper_running_requests", "Requests under way", registry=self._registry).set_function(
            running
        )
        Gauge(
            "tollkeeper_unconfirmed_settlements",
            "Settlements Redis has not confirmed",
            registry=self._registry,
        ).set_function(unconfirmed)

    def refused(self, status: int, code: str | None) -> None:
        self._refusals.labels(str(status), code or "").inc()

    def unpriced(self, kinds: Iterable[str]) -> None:
        for kind in kinds:
            self._unpriced.labels(kind).inc()

    def attempted(self, upstream: str, result: str) -> None:
        name = upstream, result
        counter = self._attempts_by_name.get(name)
        if counter is None:
            counter = self._attempts_by_name[name] = self._attempts.labels(*name)
        counter.inc()

    def retried(self, upstream: str, reason: str) -> None:
        self._retries.labels(upstream, reason).inc()

    def fell_back(self, upstream: str, to: str, reason: str) -> None:
        self._fallbacks.labels(upstream, to, reason).inc()

    def watch_breaker(self, upstream: str, state: Callable[[], float]) -> None:
        self._breakers.labels(upstream).set_function(state)

    def watch_spool(self, size: Callable[[], float], full: Callable[[], float]) -> None:
        Gauge(
            "tollkeeper_spool_bytes",
            "Bytes on the disk of what Redis has not confirmed",
            registry=self._registry,
        ).set_function(size)
        Gauge(
            "tollkeeper_spool_full",
            "Whether so much waits for Redis that nothing more is admitted",
            registry=self._registry,
        ).set_function(full)

    def watch_proxies(self, count: Callable[[], float], let_on: Callable[[], float]) -> None:
        Gauge(
            "tollkeeper_let_on_requests",
            "Requests let on without Redis since the start of this process",
            registry=self._registry,
        ).set_function(let_on)
        Gauge(
            "tollkeeper_proxies",
            "Proxies that shared Redis when it was last asked",
            registry=self._registry,
        ).set_function(count)

    def page(self) -> bytes:
        return generate_latest(self._registry)
