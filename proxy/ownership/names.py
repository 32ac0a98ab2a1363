"""A body that refers to objects must mean the same to whoever reads it: a member that stands twice does not."""

import json
from collections.abc import Sequence
from typing import Any

from proxy.errors import Refusal


def check_names(body: bytes) -> None:
    """`body` is valid JSON. Raises Refusal 400 that names a member that stands twice in one object."""
    try:
        json.loads(body, object_pairs_hook=_check)
    except RecursionError:
        raise Refusal(400, "The JSON body of your request is nested too deeply.") from None


def _check(members: Sequence[tuple[str, Any]]) -> None:
    if len(dict(members)) == len(members):
        return
    names = [name for name, _ in members]
    twice = next(name for name in names if names.count(name) > 1)[:100]
    raise Refusal(
        400, f"The member '{twice}' stands twice in one object.", code="duplicate_member", param=twice
    )
