"""Load on a port of this machine, and what its clients saw."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from loadtests.stand.errors import StandError

MODEL: Final = "gpt-4o-mini"
_MESSAGES: Final = [
    {"role": "system", "content": "You answer in two sentences at most, and never in verse."},
    {"role": "user", "content": "Where does the Saone meet the Rhone, and what is the town there known for?"},
]
_MARGIN_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Pace:
    """A stream: `chunks`, one every `milliseconds`. `usage`: whether the client asks for its usage itself."""

    milliseconds: int
    chunks: int
    usage: bool = True


@dataclass(frozen=True)
class Wish:
    """`clients` call one call after the other for `seconds`, after `warm` ones that are not measured.

    With `rate`, so many calls begin a second, by whichever client is free. `spread`: seconds over which the first calls
    are spread. Without `pace` the answers are JSON.
    """

    clients: int
    seconds: float
    warm: float = 1.0
    rate: float = 0.0
    spread: float = 0.0
    pace: Pace | None = None
    silence: int = 60
    """Seconds without a byte after which a client gives up."""

    def body(self) -> bytes:
        asked: dict[str, Any] = {"model": MODEL, "messages": _MESSAGES, "max_tokens": 120}
        if self.pace is not None:
            pace = f"pace-{self.pace.milliseconds}x{self.pace.chunks}"
            asked |= {"stream": True, "user": pace}
            if self.pace.usage:
                asked["stream_options"] = {"include_usage": True}
        return json.dumps(asked, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Times:
    """Of `count` samples, in milliseconds."""

    count: int
    p50: float
    p90: float
    p99: float
    p999: float
    max: float


@dataclass(frozen=True)
class Seen:
    """`took` until the end of an answer, `first` until its first byte, `relayed` from sending a chunk to having it.

    `calls_in_all` counts those before and after measuring, too. A stall is a chunk that was on its way for more than
    100 ms. `refused`: answers of another status than 2xx; `broken`: none, or no whole one; `expired`: nothing came.
    """

    seconds: float
    calls: int
    calls_in_all: int
    chunks: int
    bytes: int
    refused: int
    broken: int
    expired: int
    stalls: int
    reason: str
    took: Times
    first: Times
    relayed: Times

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds

    @property
    def errors(self) -> int:
        return self.refused + self.broken + self.expired

    @classmethod
    def read(cls, text: str) -> Self:
        told = json.loads(text)
        times = {name: Times(**told[name]) for name in ("took", "first", "relayed")}
        return cls(**{each.name: told[each.name] for each in fields(cls)} | times)


@dataclass(frozen=True)
class Target:
    """Who is called: a port of 127.0.0.1. Calls take the API `keys` in turn, if there are any."""

    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[str] = ()


@dataclass(frozen=True)
class Load:
    """`program` is the compiled one; `folder` takes what it reads."""

    program: Path
    folder: Path

    def run(self, target: Target, wish: Wish, measuring: Callable[[], None] = lambda: None) -> Seen:
        """Blocks for as long as the wish says. `measuring` is called when the warm part is over. Raises StandError."""
        words = [
            *(
                "-p",
                target.port,
                "-b",
                self._file(wish.body()),
                "-c",
                wish.clients,
                "-d",
                wish.seconds,
                "-w",
                wish.warm,
            ),
            *("-r", wish.rate, "-g", wish.spread, "-t", wish.silence),
            *(["-s"] if wish.pace is not None else []),
        ]
        for name, value in target.headers.items():
            words += ["-H", f"{name}: {value}"]
        if target.keys:
            words += ["-k", self._file("\n".join(target.keys).encode())]
        with subprocess.Popen(
            [str(self.program), *map(str, words)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                if process.stdout.readline():
                    measuring()
                told, _ = process.communicate(timeout=wish.seconds + _MARGIN_SECONDS)
            finally:
                process.kill()
        if process.returncode != 0 or not told:
            raise StandError(f"the load ended with {process.returncode}")
        return Seen.read(told)

    def _file(self, content: bytes) -> Path:
        path = self.folder / f"load-{hashlib.sha256(content).hexdigest()[:16]}"
        path.write_bytes(content)
        return path


def without_errors(seen: Seen) -> Seen:
    """Raises StandError if any call failed: figures of failing calls mean nothing."""
    if seen.errors or not seen.calls + seen.chunks:
        raise StandError(f"{seen.errors} of {seen.calls_in_all} calls failed: {seen.reason}")
    return seen
