"""Logs on stderr: one JSON object a line, or readable text on a terminal.

Nothing that is logged may hold a key. As belt and braces whatever looks like one is blackened here.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
import structlog

SECRET = re.compile(
    r"\b(sk|rk|whsec)([-_])[A-Za-z0-9_\-]{6,}|(?i:\b(Bearer|Basic)\s+)[^\s\"',;]+|(://[^\s:/@]*:)[^\s/@]+@"
)
FIELDS = "fields"
RESERVED = frozenset({"time", "level", "program", "logger", "message", "trace"})


def blacken(text: str) -> str:
    """`text` without API keys, bearer tokens and passwords in URLs."""
    return SECRET.sub(_blackened, text)


def _blackened(match: re.Match[str]) -> str:
    kind, dash, scheme, user = match.groups()
    if kind:
        return f"{kind}{dash}…"
    return f"{scheme} …" if scheme else f"{user}…@"


class _Formatter(logging.Formatter):
    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def _moment(self, record: logging.LogRecord) -> datetime:
        return datetime.fromtimestamp(record.created, UTC)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        return {name: value for name, value in getattr(record, FIELDS, {}).items() if name not in RESERVED}

    def _trace(self, record: logging.LogRecord) -> str | None:
        return self.formatException(record.exc_info) if record.exc_info else None


class JsonFormatter(_Formatter):
    """Members: time (RFC 3339, UTC), level, program, logger, message, the fields of the call, trace."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self._moment(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "program": self._program,
            "logger": record.name,
            "message": record.getMessage(),
            **self._fields(record),
        }
        if trace := self._trace(record):
            line["trace"] = trace
        return blacken(orjson.dumps(line, default=str).decode())


class TextFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in self._fields(record).items())
        trace = self._trace(record)
        head = f"{self._moment(record):%H:%M:%S} {record.levelname.lower():<7} {self._program:<8}"
        return blacken(f"{head} {record.getMessage()}{fields}" + (f"\n{trace}" if trace else ""))


def configure_logs(program: str, level: str, stream: TextIO | None = None) -> None:
    """Sends every logger of this process, the server's too, to `stream` (stderr).

    `program` names this process in each line; `level` is debug, info, warning or error.
    """
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    handler.setFormatter(TextFormatter(program) if target.isatty() else JsonFormatter(program))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, _hand_on],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    # These tell of every request, with its address.
    for name in ("httpx", "httpcore", "openai", "stripe", "websockets"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _hand_on(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[str, Any], dict[str, Any]]:
    """From structlog's event to the arguments of a standard log call."""
    message, exception = event.pop("event", ""), event.pop("exc_info", None)
    return ("%s", message), {"exc_info": exception, "extra": {FIELDS: dict(event)}}
