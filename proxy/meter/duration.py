"""How long a piece of audio lasts, from its own bytes."""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass
from typing import Final

from tinytag import TinyTag

from proxy.meter import webm

_LEAST_BYTES_PER_SECOND: Final = 750
"""6 kbit/s: the least that the speech codecs of the accepted formats are used with."""


@dataclass(frozen=True, slots=True)
class Length:
    """`known`: told by the audio itself; else the most that so many bytes can last."""

    seconds: float
    known: bool


NO_AUDIO: Final = Length(0, False)


def length_of(audio: bytes) -> Length:
    """Of mp3, m4a, mp4, ogg, opus, flac, wav and webm. Never raises.

    No more is believed than the bytes can last. Reads all of a file that leaves its length open, which can
    take a second for 10 MB: larger ones are for a thread.
    """
    most = len(audio) / _LEAST_BYTES_PER_SECOND
    if audio.startswith(webm.MAGIC):
        seconds = webm.seconds(audio)
    elif audio.startswith(b"RIFF"):
        seconds = _wav_seconds(audio)
    else:
        seconds = _tagged_seconds(audio)
    if seconds is None or not math.isfinite(seconds) or seconds <= 0:
        return Length(most, False)
    return Length(min(seconds, most), True)


def _tagged_seconds(audio: bytes) -> float | None:
    try:
        return TinyTag.get(file_obj=io.BytesIO(audio), tags=False).duration
    except Exception:  # noqa: BLE001 - a parser of what anyone may upload
        return None


def _wav_seconds(audio: bytes) -> float | None:
    """By the bytes that are there: who writes a WAV file as it goes leaves its size open."""
    at, per_second = 12, 0
    while at + 8 <= len(audio):
        kind, size = audio[at : at + 4], int.from_bytes(audio[at + 4 : at + 8], "little")
        at += 8
        if kind == b"fmt " and at + 16 <= len(audio):
            rate, _, frame = struct.unpack_from("<IIH", audio, at + 4)
            per_second = rate * frame
        elif kind == b"data":
            there = len(audio) - at
            return (min(size, there) or there) / per_second if per_second else None
        at += size + size % 2
    return None
