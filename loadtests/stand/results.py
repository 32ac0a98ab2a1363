"""What a measurement found, in a file that says where it was taken."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from loadtests.stand.surroundings import Surroundings, surroundings

FOLDER: Final = Path(__file__).parent.parent / "results"


def write(folder: Path, name: str, found: Mapping[str, Any]) -> Path:
    """`name`.json, replaced if it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"surroundings": asdict(surroundings()), **found}, indent=1) + "\n", "utf-8")
    return path


def read(folder: Path, name: str) -> tuple[Surroundings, dict[str, Any]] | None:
    """What was written under this name last, if anything."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    told: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return Surroundings(**told.pop("surroundings")), told
