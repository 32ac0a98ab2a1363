"""Names of everything in Redis. All keys of an organization carry its partition's hash tag."""

from typing import Final

from ledger.partitions import tag

CALLS: Final = "realtime:calls"
"""Leases of the calls that are attended to, of all organizations: by when each lapses."""
PROXIES: Final = f"{tag(0)}:proxies"
"""The proxies that live, by when they last said so."""

RECONCILED: Final = "reconciled"
"""When the counters were last compared with the ledger, and how many were mended so far."""


def epoch(partition: int) -> str:
    """What vanishes with the partition's data, and whether all of it has been brought back since."""
    return f"{tag(partition)}:epoch"


def hold(partition: int, request_id: str) -> str:
    return f"{tag(partition)}:hold:{request_id}"


def holds(partition: int) -> str:
    return f"{tag(partition)}:holds"


def stream(partition: int) -> str:
    """The usage records on their way to Postgres."""
    return f"{tag(partition)}:usage"


def live(partition: int, scope: str) -> str:
    """What runs now, and the last minute."""
    return f"{tag(partition)}:live:{scope}"


def period(partition: int, scope: str, start_ms: int) -> str:
    """Used and held in the period that starts then."""
    return f"{tag(partition)}:period:{scope}:{start_ms}"


def storage(partition: int, scope: str) -> str:
    """What the organization keeps upstream."""
    return f"{tag(partition)}:storage:{scope}"


def owned(partition: int, organization_id: str, object_id: str) -> str:
    """That an object created upstream is the organization's."""
    return f"{tag(partition)}:owns:{organization_id}:{object_id}"


def work(partition: int, work_id: str) -> str:
    """What is known of work that goes on at the provider, by the provider's id for it."""
    return f"{tag(partition)}:work:{work_id}"
