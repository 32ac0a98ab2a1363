"""What is asked of Redis, and how it fails."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Argument: TypeAlias = bytes | str | int
Command: TypeAlias = tuple[Argument, ...]
# RESP2: bytes, int, None, or a list of these; which of them is known only by the command.
Reply: TypeAlias = Any


class RedisUnavailable(Exception):
    """Redis cannot be asked, or did not answer within the bound.

    Whether a command that was already sent has been executed is unknown: make scripts idempotent.
    """


class RedisReplyError(Exception):
    """Redis answered with an error (-ERR, -LOADING, -OOM, -READONLY, ...): the command had no success."""

    @property
    def code(self) -> str:
        return str(self).partition(" ")[0]


def successes(outcomes: Mapping[str, Reply]) -> dict[str, Reply]:
    """What came of commands but their errors. Raises the first of these where there is nothing else."""
    replies = {key: outcome for key, outcome in outcomes.items() if not isinstance(outcome, Exception)}
    if outcomes and not replies:
        raise next(iter(outcomes.values()))
    return replies
