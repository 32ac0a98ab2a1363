"""The words of a message: a subject and blocks, from one template a kind and language, for text and HTML alike.

A template's first line is the subject; paragraphs follow, parted by blank lines. Lines `| label | value` make a table.
Values are put into each piece after the pieces were parted, so that no value can make a paragraph, a row or a header.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template

from billing_worker.notices.wording import filters
from ledger.invoice import Language
from ledger.notice_kinds import KINDS

# Not those that hold the parts of a number together.
_SPACES: Final = re.compile(r"[^\S\u00a0\u202f]+")
_FOLDER: Final = files(__package__) / "templates"


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or a table of labels and values."""

    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """All on one line each."""

    subject: str
    blocks: tuple[Block, ...]
    footer: str


@dataclass(frozen=True, slots=True)
class Written:
    """A message as plain text and as HTML that loads nothing from elsewhere."""

    subject: str
    text: str
    html: str


def words(
    kind: str, facts: Mapping[str, Any], *, language: Language, time_zone: str, organization: str | None
) -> Words:
    """Raises KeyError for an unknown kind, and pydantic's ValidationError for values that don't fit it."""
    values = KINDS[kind].model_validate(facts)
    pieces = _Pieces(language, time_zone, {**dict(values), "organization": organization})
    subject, *paragraphs = (_FOLDER / language / f"{kind}.txt").read_text("utf-8").strip().split("\n\n")
    footer = (_FOLDER / language / "footer.txt").read_text("utf-8")
    blocks = (pieces.block(paragraph) for paragraph in paragraphs)
    return Words(
        pieces.line(subject), tuple(each for each in blocks if each.text or each.facts), pieces.line(footer)
    )


def write(
    kind: str, facts: Mapping[str, Any], *, language: Language, time_zone: str, organization: str | None
) -> Written:
    """Raises as `words` does."""
    made = words(kind, facts, language=language, time_zone=time_zone, organization=organization)
    values = {"words": made, "language": language, "organization": organization and _one_line(organization)}
    return Written(made.subject, _layout("layout.txt").render(values), _layout("layout.html").render(values))


class _Pieces:
    def __init__(self, language: Language, time_zone: str, values: Mapping[str, Any]) -> None:
        # Plain text: what of it goes into HTML is escaped there.
        self._environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701
        self._environment.filters.update(filters(language, time_zone))
        self._values = values

    def line(self, source: str) -> str:
        return _one_line(self._environment.from_string(source).render(self._values))

    def block(self, source: str) -> Block:
        if not source.startswith("|"):
            return Block(text=self.line(source))
        # A bar with spaces around it: those inside expressions have none.
        rows = (row.lstrip("| ").split(" | ", 1) for row in source.splitlines())
        facts = ((self.line(label), self.line(value)) for label, value in rows)
        return Block(facts=tuple((label, value) for label, value in facts if value))


@lru_cache(maxsize=4)
def _layout(name: str) -> Template:
    environment = Environment(
        undefined=StrictUndefined,
        autoescape=name.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string((_FOLDER / name).read_text("utf-8"))


def _one_line(text: str) -> str:
    return _SPACES.sub(" ", text).strip(" ")
