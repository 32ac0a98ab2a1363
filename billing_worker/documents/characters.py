"""Which characters of a name or a description a document can hold. Pure, but for the list of what the fonts have."""

import re
import unicodedata
from functools import cache
from pathlib import Path

FONTS = Path(__file__).with_name("fonts")
_REPLACEMENT = "◊"
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Blanks at which a line may break: those inside a number stay what they are.
_BLANKS = re.compile(r"[^\S\u00a0\u202f]+")
# Hardly any blank at all in our font.
_NARROW, _SEEN = "\u202f", "\u00a0"


def as_written(text: str) -> str:
    """`text` on one line, without what XML 1.0 forbids, such as control characters."""
    return _BLANKS.sub(" ", _NOT_IN_XML.sub("", text)).strip()


def as_printed(text: str) -> str:
    """`text` as the fonts can show it. They have Latin, Greek and Cyrillic; of anything else a lozenge is shown.

    PDF/A allows no character without a glyph, and nobody may escape an invoice by a name in pictures. The XML keeps
    what was written.
    """
    return "".join(
        _printed(character) for character in unicodedata.normalize("NFC", text.replace(_NARROW, _SEEN))
    )


def _printed(character: str) -> str:
    if ord(character) in _covered():
        return character
    plain = unicodedata.normalize("NFKD", character)
    if all(ord(part) in _covered() for part in plain):
        return plain
    # Marks and joiners without their base mean nothing.
    return "" if unicodedata.category(character)[0] in "MC" else _REPLACEMENT


@cache
def _covered() -> frozenset[int]:
    covered: set[int] = set()
    for line in (FONTS / "coverage.txt").read_text("ascii").split():
        first, _, last = line.partition("-")
        covered.update(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(covered)
