"""Members of a body that decide what a call may cost: each may stand there once.

We read the last of two, as most do; an upstream that reads the first could be asked for more than is held.
"""

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
_TOKENS: Final = {name: b'"%b"' % name.encode() for name in _DECIDING}
_ESCAPED: Final = b"\\u00"
"""Begins every escape of a letter, which a name could be hidden in."""


def check_once(body: bytes, request: Mapping[str, Any], at: int = 0) -> None:
    """`request` is the object that stands at `at` in `body`. Raises Refusal 400 that names a member that decides and
    stands there twice, in whatever case or spelling.

    Costs a search in `body` for each name that decides; the object is only walked where one is found again.
    """
    if _ESCAPED in body or len(set(map(str.lower, request))) < len(request):
        _walk(body, at)
        return
    for name in request:
        token = _TOKENS.get(name)
        if token is not None and body.count(token, at) > 1:
            _walk(body, at)
            return


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
