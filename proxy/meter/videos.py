"""The meter of videos: by the second, at the price of a size."""

from __future__ import annotations

from typing import Any, Final

from ledger.usage import Usage
from proxy.meter.answer import Answer
from proxy.meter.jobs import filmed, read_job
from proxy.meter.metering import Metered, Request
from proxy.meter.output import TokenCounter

_SECONDS: Final = 4
_SIZE: Final = "720x1280"
"""Of a video that was asked for without them, by OpenAI's reference."""
_MOST_SECONDS: Final = 20


def videos(request: Request, answer: Answer, counter: TokenCounter) -> Metered:
    """As the finished video says; else what was asked for, which is charged once it is finished."""
    job = read_job(answer.decoded())
    if job is not None and job.usage is not None:
        return Metered(job.usage, "provider")
    asked: dict[str, Any] = {
        "seconds": request.fields.get("seconds") or _SECONDS,
        "size": request.fields.get("size") or _SIZE,
    }
    used = filmed(asked) or filmed(asked | {"seconds": _MOST_SECONDS})
    return Metered(used or Usage(), "unknown")
