import json
from datetime import date
from pathlib import Path

import pytest

from billing_worker.documents import typesetting
from billing_worker.documents.characters import FONTS, as_printed, as_written


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("Péage n° 1 – 50 000 €", "Péage n° 1 – 50 000 €"),
        ("Ελλάς Київ", "Ελλάς Київ"),
        ("e\u0301", "é"),
        ("ﬃ", "ffi"),
        ("東京", "◊◊"),
        ("👩\u200d🔬", "◊◊"),
        ("1\u202f000", "1\u00a0000"),
        ("", ""),
    ],
)
def test_what_the_fonts_lack_is_marked(text: str, printed: str) -> None:
    assert as_printed(text) == printed


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (" a\n\tb\u2028c ", "a b c"),
        ("1\u202f000\u00a0€ ", "1\u202f000\u00a0€"),
        ("a\x00b\ud800c\uffff", "abc"),
        ("🚀", "🚀"),
        ("\x07", ""),
    ],
)
def test_what_is_written_is_one_line_of_what_xml_allows(text: str, written: str) -> None:
    assert as_written(text) == written


def test_the_fonts_have_all_that_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = (FONTS / "coverage.txt").read_text("ascii").split()
    spans = [line.partition("-") for line in listed]
    characters = [
        chr(code) for first, _, last in spans for code in range(int(first, 16), int(last or first, 16) + 1)
    ]
    template = tmp_path / "all.typ"
    template.write_text(
        '#set text(font: "IBM Plex Sans", fallback: false)\n#for one in json(bytes(sys.inputs.all)) {\n'
        "  [#one #strong(one) ]\n}\n"
    )
    monkeypatch.setattr(typesetting, "TEMPLATES", tmp_path)
    pdf = typesetting.typeset("all.typ", {"all": json.dumps(characters)}, day=date(2026, 1, 1))
    assert pdf.startswith(b"%PDF-1.7")
    assert len(characters) > 800
