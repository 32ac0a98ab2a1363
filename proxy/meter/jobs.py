"""What outlives the call that began it: background responses, runs, fine-tuning jobs, batches, videos.

Their answers say how they stand, and what they used once they have ended; looking again says the same again.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ledger.usage import Usage
from proxy.meter.body import usage_of_answer
from proxy.meter.usage import read_seconds

UNDER_WAY: Final = frozenset(
    {
        "queued",
        "pending",
        "validating",
        "validating_files",
        "in_progress",
        "running",
        "paused",
        "requires_action",
        "finalizing",
        "cancelling",
    }
)
_SMALLER_VIDEOS: Final = ("720x1280", "1280x720")
_FOR_NOTHING: Final = frozenset({"failed", "cancelled", "expired"})


class Job(NamedTuple):
    """`kind` is OpenAI's `object`: response, thread.run, fine_tuning.job, batch, video. `model` is empty where the
    object has none. `usage` is None while it is under way, and where an ended one doesn't tell: a batch does by its
    output file."""

    id: str
    kind: str
    status: str
    model: str
    usage: Usage | None

    @property
    def ended(self) -> bool:
        return self.status not in UNDER_WAY


def read_job(answer: Any) -> Job | None:
    """The job that a decoded answer is, or that an event of a stream wraps; None of anything else. Never raises."""
    if isinstance(answer, dict) and isinstance(answer.get("response"), dict):
        answer = answer["response"]
    if not isinstance(answer, dict):
        return None
    name, kind, status = answer.get("id"), answer.get("object"), answer.get("status")
    if not (isinstance(name, str) and name and isinstance(kind, str) and isinstance(status, str)):
        return None
    model = answer.get("model")
    usage = None if status in UNDER_WAY else _used(answer, kind, status)
    return Job(name, kind, status, model if isinstance(model, str) else "", usage)


def _used(answer: dict[str, Any], kind: str, status: str) -> Usage | None:
    if kind == "batch":
        return None
    if kind == "video":
        usage = filmed(answer) if status == "completed" else None
    else:
        usage = _trained(answer) if kind == "fine_tuning.job" else usage_of_answer(answer)
    return Usage() if usage is None and status in _FOR_NOTHING else usage


def filmed(video: dict[str, Any]) -> Usage | None:
    """Seconds by the shorter side of the picture; a size that isn't known is taken for the larger one."""
    seconds = video.get("seconds")
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit():
        seconds = int(seconds[:6])
    count = read_seconds(seconds)
    if not count:
        return None
    kind = "video_second_720p" if video.get("size") in _SMALLER_VIDEOS else "video_second_1024p"
    return Usage(quantities={kind: count})


def _trained(answer: dict[str, Any]) -> Usage | None:
    tokens = answer.get("trained_tokens")
    if type(tokens) is not int or not 0 <= tokens <= 10**12:
        return None
    return Usage(quantities={"trained_token": tokens} if tokens else {})
