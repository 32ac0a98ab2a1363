"""What Prometheus is told of the console."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest


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

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        known = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
        self._answers.labels(known, path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)
