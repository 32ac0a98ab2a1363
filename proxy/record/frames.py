"""Frames of the spool: length, checksum, payload. What a crash tore off is told from what is whole."""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple
from zlib import crc32

_HEAD: Final = struct.Struct("<II")
_LONGEST: Final = 256 * 1024 * 1024
"""No payload has as many bytes: a length beyond is damage."""


class Frame(NamedTuple):
    """`payload` is None where the checksum tells that it is not what was written. `end` is where the next begins."""

    payload: bytes | None
    end: int


def framed(payload: bytes) -> bytes:
    return _HEAD.pack(len(payload), crc32(payload)) + payload


def frames(file: BinaryIO, start: int = 0) -> Iterator[Frame]:
    """The frames from the offset `start` on, up to the first that is not whole."""
    file.seek(start)
    at = start
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        length, checksum = _HEAD.unpack(head)
        if length > _LONGEST:
            return
        payload = file.read(length)
        if len(payload) < length:
            return
        at += _HEAD.size + length
        yield Frame(payload if crc32(payload) == checksum else None, at)
