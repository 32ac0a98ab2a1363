from __future__ import annotations

import base64
import struct

import pytest

from proxy.meter.images import image_size, image_tokens, most_image_tokens
from proxy.meter.models import family_of


def _png(width: int, height: int) -> str:
    raw = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + struct.pack(">II", width, height)
        + b"\x08" * 5
    )
    return "data:image/png;base64," + base64.b64encode(raw).decode()


def _url(raw: bytes) -> str:
    return "data:image/x;base64," + base64.b64encode(raw).decode()


def _jpeg(width: int, height: int, before: int = 0) -> bytes:
    app = b"\xff\xe1" + struct.pack(">H", before + 2) + b"\0" * before if before else b""
    return b"\xff\xd8" + app + b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\0" * 20


@pytest.mark.parametrize(
    "url",
    [
        _png(640, 480),
        _url(b"GIF89a" + struct.pack("<HH", 640, 480)),
        _url(_jpeg(640, 480)),
        _url(_jpeg(640, 480, before=60_000)),
        _url(b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
        _url(b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 640, 480)),
        _url(b"RIFF\0\0\0\0WEBPVP8L" + b"\0" * 5 + (639 | 479 << 14).to_bytes(4, "little")),
    ],
)
def test_the_size_is_read_from_the_header(url: str) -> None:
    assert image_size(url) == (640, 480)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "data:image/png;base64,",
        "data:image/png;base64,!!!!",
        "data:image/png,abc",
        _url(b"\x89PNG\r\n\x1a\n"),
        _url(b"\xff\xd8\xff"),
        _url(b"RIFF"),
        _png(0, 5),
        "",
    ],
)
def test_what_can_not_be_read_has_no_size(url: str) -> None:
    assert image_size(url) is None


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),
        ("gpt-4o", (2048, 4096), None, 1105),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4o", (512, 512), "auto", 255),
        ("gpt-4o-mini", (512, 512), None, 8500),
        ("gpt-4.1-mini", (1024, 1024), None, 1660),
        ("gpt-4.1-nano", (32, 32), None, 4),
        ("o4-mini", (1800, 2400), None, 2499),
    ],
)
def test_tokens_by_model_size_and_detail(
    model: str, size: tuple[int, int], detail: str | None, tokens: int
) -> None:
    assert image_tokens(_png(*size), detail, family_of(model)) == (tokens, True)


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini", "gpt-4.1-mini", "gpt-5-nano"])
def test_no_image_costs_more_than_the_most(model: str) -> None:
    family = family_of(model)
    most = most_image_tokens(family)
    assert image_tokens("https://example.com/a.png", None, family) == (most, False)
    sides = (1, 31, 33, 500, 767, 768, 769, 1025, 2047, 2048, 5000, 20_000)
    assert max(image_tokens(_png(w, h), None, family)[0] for w in sides for h in sides) <= most
