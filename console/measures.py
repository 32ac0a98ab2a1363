"""What Prometheus is told of the console."""

from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from console.reconciled import Reconciled


class Measures:
    """Counts answers and their time, by path as in the table and never by ids, which have no bound."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "tollkeeper_console_requests",
            "Requests answered by the console",
            ("method", "path", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "tollkeeper_console_request_seconds",
            "Time to answer a request",
            ("path",),
            registry=self._registry,
        )
        self._mended = Gauge(
            "tollkeeper_reconciliation_mended_counters",
            "Counters that differed from the ledger and were mended so far",
            registry=self._registry,
        )
        self._reconciled_at = Gauge(
            "tollkeeper_reconciliation_timestamp_seconds",
            "When counters and ledger were last compared; 0 for never",
            registry=self._registry,
        )

        self._dead_letters = Gauge(
            "tollkeeper_dead_letters",
            "Usage records that could not be stored and that nobody has looked after; NaN while nobody can tell",
            registry=self._registry,
        )

    def dead_letters(self, count: int | None) -> None:
        self._dead_letters.set(nan if count is None else count)

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        known = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
        self._answers.labels(known, path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def reconciled(self, told: Reconciled | None) -> None:
        """None leaves what was told before."""
        if told is not None:
            self._mended.set(told.mended)
            self._reconciled_at.set(told.at)

    def text(self) -> bytes:
        return generate_latest(self._registry)
