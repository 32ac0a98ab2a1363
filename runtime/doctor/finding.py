"""What one check found."""

from dataclasses import dataclass
from enum import StrEnum

UP = "start everything with `tollkeeper up`, or set {}"


class State(StrEnum):
    GOOD = "good"
    ODD = "odd"  # works, but not as it should
    BAD = "bad"  # does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` says what to do; it is empty for what is good."""

    subject: str
    state: State
    detail: str
    remedy: str = ""


def good(subject: str, detail: str) -> Finding:
    return Finding(subject, State.GOOD, detail)


def odd(subject: str, detail: str, remedy: str) -> Finding:
    return Finding(subject, State.ODD, detail, remedy)


def bad(subject: str, detail: str, remedy: str) -> Finding:
    return Finding(subject, State.BAD, detail, remedy)


def reason(error: Exception) -> str:
    """Why something failed, in one line."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
