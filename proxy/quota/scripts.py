"""The Lua scripts, each a file of its own with its contract in the header."""

from pathlib import Path
from typing import Final, Literal

from proxy.pipeline import RedisPipeline

_DIRECTORY: Final = Path(__file__).parent / "lua"


_IN_MINUTES: Final = ("admit", "settle", "restore", "seed")
"""These count in a minute, by the rule of minute.lua."""


def source(
    name: Literal[
        "admit",
        "settle",
        "renew",
        "keep",
        "seed",
        "done",
        "look",
        "mend",
        "survey",
        "count",
        "restore",
        "epoch",
        "drained",
    ],
) -> str:
    files = ("minute", name) if name in _IN_MINUTES else (name,)
    return "".join((_DIRECTORY / f"{each}.lua").read_text(encoding="utf-8") for each in files)


class Scripts:
    """The scripts as one Redis connection knows them; loaded whenever it connects."""

    def __init__(self, redis: RedisPipeline) -> None:
        self.admit = redis.script(source("admit"))
        self.settle = redis.script(source("settle"))
        self.renew = redis.script(source("renew"))
        self.restore = redis.script(source("restore"))
        self.keep = redis.script(source("keep"))
        self.seed = redis.script(source("seed"))
