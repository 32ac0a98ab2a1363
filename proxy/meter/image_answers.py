"""The meter of image generations, edits and variations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ledger.usage import Usage
from proxy.meter.answer import Answer
from proxy.meter.image_tokens import image_output_tokens
from proxy.meter.metering import Metered, Request
from proxy.meter.output import TokenCounter

# The kinds of pictures by size, dearest first, which stands in for a size that isn't one.
_DALL_E_2: Final = ("1024x1024", "512x512", "256x256")
_DALL_E_3: Final = ("1792x1024", "1024x1792", "1024x1024")
_MOST: Final = 10
_PARTIAL: Final = 100
"""Tokens that a partial picture in a stream costs more, by OpenAI's guide to images."""
_MOST_PARTIAL: Final = 3
_FRAMES: Final = 9
"""Of an animation that leaves their number open."""
_MOST_FRAMES: Final = 16


def images(request: Request, answer: Answer, counter: TokenCounter) -> Metered:
    """GPT image models by the tokens that they report, DALL-E by pictures of a size and quality.

    Where a GPT image model reports nothing (a stream that was cut before the picture), the tokens of the pictures
    that were asked for are taken, at the dearest that the request leaves open. So they are where no model was named:
    DALL-E is then only what OpenAI once took.
    """
    usage = answer.usage
    if usage is not None:
        return Metered(all_images(usage), "provider")
    made = _made(answer.decoded())
    count = _count(request.fields.get("n"), 1, _MOST, 1) if made is None else made
    if request.model.startswith("dall-e") and (made is not None or request.text("model")):
        kind = _kind(request)
        return Metered(
            Usage(quantities={kind: count} if count else {}), "unknown" if made is None else "provider"
        )
    each = image_output_tokens(request.fields.get("size"), request.fields.get("quality"))
    partial = _count(request.fields.get("partial_images"), 0, _MOST_PARTIAL, 0)
    each = each * _frames(request) + _PARTIAL * partial
    return Metered(
        Usage(request.prompt_tokens, output_tokens=count * each, image_output_tokens=count * each), "unknown"
    )


def all_images(usage: Usage) -> Usage:
    """Events of streams don't say it: without a word of text, the output is images."""
    return usage if usage.image_output_tokens else replace(usage, image_output_tokens=usage.output_tokens)


def _kind(request: Request) -> str:
    size, quality = request.fields.get("size"), request.fields.get("quality")
    if request.model.startswith("dall-e-2"):
        return f"image_{size if size in _DALL_E_2 else _DALL_E_2[0]}"
    if size is None:
        size = "1024x1024"
    return f"image_{'hd' if quality == 'hd' else 'standard'}_{size if size in _DALL_E_3 else _DALL_E_3[0]}"


def _made(answer: Any) -> int | None:
    pictures = answer.get("data") if isinstance(answer, dict) else None
    return len(pictures) if isinstance(pictures, list) else None


def _frames(request: Request) -> int:
    """An animation is as many pictures."""
    if request.text("output_format") != "gif":
        return 1
    return _count(request.fields.get("frame_count"), 1, _MOST_FRAMES, _FRAMES)


def _count(given: Any, least: int, most: int, otherwise: int) -> int:
    """Of a JSON body or a form; `otherwise` where it is absent or odd."""
    if isinstance(given, str) and given.isascii() and given.isdigit():
        given = int(given[:4])
    return min(max(given, least), most) if type(given) is int else otherwise
