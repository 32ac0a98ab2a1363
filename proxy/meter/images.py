"""Tokens of an image in a prompt."""

from __future__ import annotations

import base64
import binascii
import math
import struct

from proxy.meter.models import Family, Tiles

_TILE = 512
_PATCH = 32
_LONG_SIDE = 2048
_SHORT_SIDE = 768
_MOST_TILES = 8
_HEADER = 512 * 1024
_JPEG_SIZES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})


def image_tokens(url: object, detail: object, family: Family) -> tuple[int, bool]:
    """Tokens of one image and whether that is exact; what can't be looked at takes the most an image can
    cost."""
    rule = family.image
    if isinstance(rule, Tiles) and detail == "low":
        return rule.base, True
    size = image_size(url) if isinstance(url, str) else None
    if size is None:
        return most_image_tokens(family), False
    if isinstance(rule, Tiles):
        return rule.base + rule.tile * _tiles(*size), True
    return math.ceil(_patches(*size, rule.most) * rule.rate) + 1, True


def most_image_tokens(family: Family) -> int:
    """The most that one image can cost: eight tiles (2048 x 768), or all patches."""
    rule = family.image
    return (
        rule.base + rule.tile * _MOST_TILES
        if isinstance(rule, Tiles)
        else math.ceil(rule.most * rule.rate) + 1
    )


def image_size(url: str) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG, GIF or WebP in a `data:` URL, from its header; None where it can't
    be read."""
    head, comma, encoded = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    try:
        raw = base64.b64decode(encoded[:_HEADER] + "=" * (-len(encoded[:_HEADER]) % 4))
        size = _size(raw)
    except (binascii.Error, ValueError, struct.error, IndexError):
        return None
    return size if size is not None and min(size) > 0 else None


def _size(raw: bytes) -> tuple[int, int] | None:
    if raw.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", raw[16:24])
    elif raw[:6] in (b"GIF87a", b"GIF89a"):
        width, height = struct.unpack("<HH", raw[6:10])
    elif raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return _webp_size(raw)
    elif raw.startswith(b"\xff\xd8"):
        return _jpeg_size(raw)
    else:
        return None
    return width, height


def _jpeg_size(raw: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(raw):
        if raw[at] != 0xFF:
            return None
        marker = raw[at + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", raw[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
    return None


def _webp_size(raw: bytes) -> tuple[int, int] | None:
    kind = raw[12:16]
    if kind == b"VP8X":
        return int.from_bytes(raw[24:27], "little") + 1, int.from_bytes(raw[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(raw[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", raw[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _tiles(width: float, height: float) -> int:
    """512-px tiles after the image is fitted into 2048 x 2048 and its short side brought to 768."""
    shrink = min(1.0, _LONG_SIDE / max(width, height))
    width, height = width * shrink, height * shrink
    shrink = min(1.0, _SHORT_SIDE / min(width, height))
    width, height = width * shrink, height * shrink
    return math.ceil(round(width, 6) / _TILE) * math.ceil(round(height, 6) / _TILE)


def _patches(width: float, height: float, most: int) -> int:
    """32-px patches; an image of more than `most` is shrunk until a whole number of them fits."""
    needed = math.ceil(width / _PATCH) * math.ceil(height / _PATCH)
    if needed <= most:
        return needed
    shrink = math.sqrt(_PATCH * _PATCH * most / (width * height))
    wide, high = width * shrink / _PATCH, height * shrink / _PATCH
    shrink *= min(math.floor(wide) / wide, math.floor(high) / high) if min(wide, high) >= 1 else 1.0
    return min(
        math.ceil(round(width * shrink / _PATCH, 6)) * math.ceil(round(height * shrink / _PATCH, 6)), most
    )
