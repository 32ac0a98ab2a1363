"""Limits that a key or a project may carry beside those of the plan."""

from typing import Annotated

from pydantic import AfterValidator

from ledger.limits import Limits
from proxy.quota.limits import LIMITS

_ENFORCED = frozenset(kind.name for kind in LIMITS if kind.window != "stored")


def _only_enforced(limits: Limits) -> Limits:
    # A limit that nothing checks would be a promise that nothing keeps.
    if strange := sorted(limits.model_fields_set - _ENFORCED):
        raise ValueError(f"'{strange[0]}' is a limit of plans only")
    return limits


ScopeLimits = Annotated[Limits, AfterValidator(_only_enforced)]
