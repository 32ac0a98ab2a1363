"""Redis partitions: every key of an organization carries one hash tag, so that a script touches one slot.

The number is a constant, not a setting: another number would leave every counter behind.
"""

from zlib import crc32

PARTITIONS = 64


def partition_of(organization_id: str) -> int:
    """0..63, the same for ever for one organization."""
    return crc32(organization_id.encode()) % PARTITIONS


def tag(partition: int) -> str:
    """The hash tag, such as `{p07}`."""
    return f"{{p{partition:02d}}}"
