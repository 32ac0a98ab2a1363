"""Answers that come compressed although nobody asked for it: they pass as they are, and are read all the same."""

import zlib
from typing import Any, Final, Protocol

try:
    import brotli
except ImportError:  # it is an extra: nobody should send it unasked
    brotli = None

_LARGEST_STEP: Final = 16 * 1024 * 1024
"""What one piece may unfold to; a small piece that unfolds to more is no answer."""


class Decoder(Protocol):
    def decode(self, data: bytes) -> bytes:
        """What `data` unfolds to. Raises ValueError for what is not of the encoding, or unfolds to too much."""


class _Inflate:
    def __init__(self, window: int) -> None:
        self._inflater = zlib.decompressobj(window)

    def decode(self, data: bytes) -> bytes:
        try:
            unfolded = self._inflater.decompress(data, _LARGEST_STEP)
        except zlib.error as error:
            raise ValueError(str(error)) from None
        if self._inflater.unconsumed_tail:
            raise ValueError("unfolds to too much")
        return unfolded


class _Brotli:
    def __init__(self, decompressor: Any) -> None:
        self._decompressor = decompressor

    def decode(self, data: bytes) -> bytes:
        try:
            unfolded: bytes = self._decompressor.process(data, output_buffer_limit=_LARGEST_STEP)
        except brotli.error as error:
            raise ValueError(str(error)) from None
        if not self._decompressor.can_accept_more_data() and not self._decompressor.is_finished():
            raise ValueError("unfolds to too much")
        return unfolded


def decoder_for(encoding: bytes) -> Decoder | None:
    """For the value of Content-Encoding; None for an encoding that can't be read here: zstd, or br without the extra
    `encodings`."""
    name = encoding.strip().lower()
    if name in (b"gzip", b"x-gzip"):
        return _Inflate(16 + zlib.MAX_WBITS)
    if name == b"br" and brotli is not None:
        return _Brotli(brotli.Decompressor())
    return _Inflate(zlib.MAX_WBITS) if name == b"deflate" else None
