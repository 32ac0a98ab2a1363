"""Everything that we send, judged by the program that defines what PDF/A is."""

import os
import subprocess
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest

from billing_worker.documents.factur_x import NAMESPACE
from billing_worker.documents.rendering import render
from tests.billing_worker.documents.test_rendering import PICTURED, logo, many_lines, usage_of_days

pytestmark = pytest.mark.verapdf


def verdicts(directory: Path) -> dict[str, str]:
    """PASS or FAIL for each PDF in `directory`, by its name."""
    files = sorted(map(str, directory.glob("*.pdf")))
    program = ["java", "-cp", os.environ["VERAPDF_JAR"], "org.verapdf.apps.GreenfieldCliWrapper"]
    asked = subprocess.run(
        [*program, "--flavour", "3b", "--format", "text", *files],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    words = [line.split() for line in asked.stdout.splitlines()]
    return {Path(word[1]).stem: word[0] for word in words if word[0] in ("PASS", "FAIL")}


def test_every_kind_of_document_is_pdf_a(tmp_path: Path) -> None:
    documents = {name: render(issued, logo=extras.get("logo")) for name, (issued, extras) in PICTURED.items()}
    documents["many-lines"] = render(many_lines(), logo=logo(), appendix=usage_of_days(31))
    for name, document in documents.items():
        (tmp_path / f"{name}.pdf").write_bytes(document.pdf)
    assert verdicts(tmp_path) == dict.fromkeys(documents, "PASS")


def test_what_is_not_pdf_a_is_told_apart(tmp_path: Path) -> None:
    (issued, _) = PICTURED["french"]
    with pikepdf.open(BytesIO(render(issued).pdf)) as pdf:
        metadata = pdf.Root.Metadata.read_bytes()
        # Properties without the schema that explains them.
        schema = NAMESPACE.encode() + b"<"
        assert schema in metadata
        pdf.Root.Metadata.write(metadata.replace(schema, b"urn:other#<"))
        pdf.save(tmp_path / "undeclared.pdf")
    assert verdicts(tmp_path) == {"undeclared": "FAIL"}
