"""What is wrong with a document: by whose rule, and where."""

from dataclasses import dataclass
from typing import Literal

Source = Literal["xsd", "en16931", "fr-ctc", "sums", "law", "pdf", "validator"]
"""The schema; the rules of EN 16931; those of France; ours of sums, of the law and of PDFs; that nobody could say."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`rule` is the id by which its owner knows it, such as BR-CO-14; `place` an XPath, where there is one."""

    source: Source
    rule: str
    message: str
    place: str | None = None
