"""Templates to PDF/A by Typst: the same bytes for the same inputs, with our fonts alone."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import typst

from billing_worker.documents.characters import FONTS

TEMPLATES = Path(__file__).with_name("templates")


class TypesettingError(RuntimeError):
    """A document could not be set as it has to be; the message says what Typst says."""


def typeset(template: str, inputs: Mapping[str, str], *, day: date) -> bytes:
    """`template` of templates/ with `inputs` as PDF/A-3b that says it was made on `day`.

    Whatever Typst only warns of, such as a font that it lacks, is an error.
    """
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
    try:
        pdf, warnings = typst.compile_with_warnings(
            TEMPLATES / template,
            root=TEMPLATES,
            font_paths=fonts,
            sys_inputs=dict(inputs),
            pdf_standards=["a-3b"],
            timestamp=datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("UTC")),
        )
    except typst.TypstError as error:
        raise TypesettingError(f"{template}: {error.message}") from error
    if warnings:
        raise TypesettingError(f"{template}: {'; '.join(warning.message for warning in warnings)}")
    return pdf
