"""A PDF as a stranger sees it: text and pictures of its pages, by another program than wrote it."""

from pathlib import Path

import pypdfium2
from PIL import Image, ImageChops

PICTURES = Path(__file__).with_name("pictures")
_SCALE = 50 / 72
_SQUARE = 16
_TOLERANCE = 6


def texts(pdf: bytes) -> list[str]:
    """Of each page, with plain blanks."""
    opened = pypdfium2.PdfDocument(pdf)
    try:
        return [page.get_textpage().get_text_range().replace("\xa0", " ") for page in opened]
    finally:
        opened.close()


def pictures(pdf: bytes) -> list[Image.Image]:
    """Of each page, in grey, 50 dots per inch."""
    opened = pypdfium2.PdfDocument(pdf)
    try:
        return [page.render(scale=_SCALE, grayscale=True).to_pil().convert("L") for page in opened]
    finally:
        opened.close()


def differs(seen: Image.Image, name: str) -> bool:
    """Whether any small square of `seen` is lighter or darker than in the stored picture.

    Squares rather than dots: another machine may smooth an edge otherwise, but a text that is missing, added or white
    on white changes its square.
    """
    with Image.open(PICTURES / f"{name}.png") as stored:
        if seen.size != stored.size:
            return True
        squares = [picture.convert("L").reduce(_SQUARE) for picture in (seen, stored)]
    _, most = ImageChops.difference(*squares).getextrema()
    assert isinstance(most, int)
    return most > _TOLERANCE
