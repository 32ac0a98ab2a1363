"""The length of a WebM file: of its blocks, since recorders that write as they go leave no duration.

Elements of EBML, as RFC 8794 and RFC 9559 describe them: an id, a size, a value.
"""

from __future__ import annotations

import struct
from typing import Final

MAGIC: Final = b"\x1a\x45\xdf\xa3"

_SEGMENT: Final = 0x18538067
_INFO: Final = 0x1549A966
_TIMESTAMP_SCALE: Final = 0x2AD7B1
_DURATION: Final = 0x4489
_CLUSTER: Final = 0x1F43B675
_TIMESTAMP: Final = 0xE7
_SIMPLE_BLOCK: Final = 0xA3
_BLOCK_GROUP: Final = 0xA0
_BLOCK: Final = 0xA1
_OPENED: Final = frozenset({_SEGMENT, _INFO, _CLUSTER, _BLOCK_GROUP})


_MOST_ELEMENTS: Final = 200_000
"""About an hour of speech, a fifth of a second to look through."""


def seconds(data: bytes) -> float | None:
    """The stated duration or the time of the last block, whichever is more; None where there is neither, or more
    than can be looked through."""
    scale, stated, cluster, last = 1_000_000, 0.0, 0, -1
    at = seen = 0
    while at < len(data):
        seen += 1
        if seen > _MOST_ELEMENTS:
            return None
        kind, at = _number(data, at, keep_mark=True)
        size, at = _number(data, at, keep_mark=False)
        if kind is None or size is None:
            break
        if kind in _OPENED:
            continue
        value = data[at : at + min(size, 8)]
        if kind == _TIMESTAMP_SCALE:
            scale = int.from_bytes(value, "big")
        elif kind == _DURATION and size in (4, 8) and len(value) == size:
            stated = struct.unpack(">f" if size == 4 else ">d", value)[0]
        elif kind == _TIMESTAMP:
            cluster = int.from_bytes(value, "big")
        elif kind in (_SIMPLE_BLOCK, _BLOCK):
            _, offset = _number(value, 0, keep_mark=False)
            if len(value) >= offset + 2:
                last = max(last, cluster + struct.unpack_from(">h", value, offset)[0])
        at += size
    longest = max(stated, last)
    return longest * scale / 1e9 if longest >= 0 and (stated or last >= 0) else None


def _number(data: bytes, at: int, *, keep_mark: bool) -> tuple[int | None, int]:
    """The variable-length number at `at`, and where it ends; None behind the end."""
    if at >= len(data) or data[at] == 0:
        return None, len(data)
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big")
    return value if keep_mark else value & ((1 << 7 * length) - 1), at + length
