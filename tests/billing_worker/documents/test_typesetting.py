from datetime import date
from pathlib import Path

import pytest

from billing_worker.documents import typesetting
from billing_worker.documents.typesetting import TypesettingError, typeset

DAY = date(2026, 1, 1)


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(typesetting, "TEMPLATES", tmp_path)
    return tmp_path / "one.typ"


def test_a_font_that_is_not_there_is_an_error(template: Path) -> None:
    template.write_text('#set text(font: "Nowhere Sans")\nHello')
    with pytest.raises(TypesettingError, match="nowhere sans"):
        typeset(template.name, {}, day=DAY)


def test_a_mistake_is_named_with_its_template(template: Path) -> None:
    template.write_text("#nothing")
    with pytest.raises(TypesettingError, match=r"one\.typ: unknown variable: nothing"):
        typeset(template.name, {}, day=DAY)


def test_a_template_reads_nothing_outside_its_directory(template: Path) -> None:
    (template.parent.parent / "secret.txt").write_text("secret")
    template.write_text('#read("../secret.txt")')
    with pytest.raises(TypesettingError):
        typeset(template.name, {}, day=DAY)


def test_what_was_typed_is_text_and_never_a_program(template: Path) -> None:
    template.write_text('#set text(font: "IBM Plex Sans", fallback: false)\n#sys.inputs.name')
    assert typeset(template.name, {"name": '#panic("no") $x$ \\ @a <b> *c*'}, day=DAY).startswith(b"%PDF")
