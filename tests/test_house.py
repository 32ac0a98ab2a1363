"""The import rules of the house, as a promise."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent


@pytest.fixture
def rules() -> dict[str, Any]:
    configuration: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "importlinter"
    ]
    return configuration


def test_imports_run_downward_and_the_two_planes_never_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0


def test_layers_are_those_of_the_design(rules: dict[str, Any]) -> None:
    (layers,) = [contract["layers"] for contract in rules["contracts"] if contract["type"] == "layers"]
    assert layers == ["runtime", "console", "proxy | billing_worker", "ledger", "config"]


def test_every_room_is_under_the_rules(rules: dict[str, Any]) -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "loadtests"}
    assert rooms <= set(rules["root_packages"])


def test_nothing_imports_the_command(rules: dict[str, Any]) -> None:
    importers = [
        str(path)
        for room in rules["root_packages"]
        for path in (ROOT / room).rglob("*.py")
        if "tollkeeper" in imported(path)
    ]
    assert importers == []


def imported(path: Path) -> Iterator[str]:
    """The top-level names that a module imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def test_no_two_data_planes_of_the_tests_share_a_database_of_valkey() -> None:
    taken: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("*.py"):
        for number in re.findall(r"valkey\.url\((\d+)", path.read_text()):
            taken[number].add(path.name)
    assert {number: names for number, names in taken.items() if len(names) > 1} == {}
