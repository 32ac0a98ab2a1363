"""What goes out of an invoice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """`pdf` is of PDF/A-3b and holds `xml`, which a draft has none of."""

    pdf: bytes
    xml: bytes | None
