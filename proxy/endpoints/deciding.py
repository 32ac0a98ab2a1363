"""Members of a body that decide what a call may cost: each may stand there once.

We read the last of two, as most do; an upstream that reads the first could be asked for more than is held.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from proxy.errors import Refusal
from proxy.meter.members import MalformedJsonError, members

_DECIDING: Final = frozenset(
    {
        "model",
        "messages",
        "input",
        "prompt",
        "instructions",
        "tools",
        "functions",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "max_prompt_tokens",
        "max_tool_calls",
        "n",
        "best_of",
        "modalities",
        "web_search_options",
        "size",
        "quality",
        "seconds",
        "stream",
        "stream_options",
        "service_tier",
        "store",
        "background",
        "endpoint",
        "session",
    }
)
_NAMES: Final = re.compile(rb'"(?:' + "|".join(sorted(_DECIDING)).encode() + rb')"')
_ESCAPED: Final = b"\\u00"
"""Begins every escape of a letter, which a name could be hidden in."""


def check_once(body: bytes, request: Mapping[str, Any], at: int = 0) -> None:
    """`request` is the object that stands at `at` in `body`. Raises Refusal 400 that names a member that decides and
    stands there twice, in whatever case or spelling.

    Costs two searches in `body`; the object is only walked where a name is found again.
    """
    found = _NAMES.findall(body, at)
    if (
        len(set(found)) < len(found)
        or _ESCAPED in body
        or len({name.lower() for name in request}) < len(request)
    ):
        _walk(body, at)


def _walk(body: bytes, at: int) -> None:
    seen = set()
    try:
        for member in members(body, at):
            name = member.key.lower()
            if name in seen and name in _DECIDING:
                raise _twice(name)
            seen.add(name)
    except MalformedJsonError:
        raise Refusal(400, "The JSON body of your request can be read in more than one way.") from None


def _twice(name: str) -> Refusal:
    return Refusal(
        400,
        f"The member '{name}' stands in the body more than once.",
        code="duplicate_member",
        param=name,
    )
