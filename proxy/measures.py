"""What one proxy process counts of itself, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ledger.usage_record import UsageRecord

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Measures:
    """A registry of its own for each process, so that two can live in one."""

    def __init__(self, running: Callable[[], int], unconfirmed: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "tollkeeper_requests",
            "Admitted requests by endpoint, status and outcome",
            ["endpoint", "status", "outcome"],
            registry=self._registry,
        )
        self._refusals = Counter(
            "tollkeeper_refusals",
            "Requests refused before the hold",
            ["status", "code"],
            registry=self._registry,
        )
        self._tokens = Counter(
            "tollkeeper_tokens", "Tokens settled", ["kind", "source"], registry=self._registry
        )
        self._duration = Histogram(
            "tollkeeper_request_seconds",
            "From the first byte of a request to its settlement",
            ["endpoint"],
            buckets=_SECONDS,
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

    def settled(self, record: UsageRecord) -> None:
        self._requests.labels(record.endpoint, str(record.status), record.outcome).inc()
        self._tokens.labels("input", record.usage_source).inc(record.usage.input_tokens)
        self._tokens.labels("output", record.usage_source).inc(record.usage.output_tokens)
        self._duration.labels(record.endpoint).observe(record.duration_ms / 1000)

    def page(self) -> bytes:
        return generate_latest(self._registry)
