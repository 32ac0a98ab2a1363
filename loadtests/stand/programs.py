"""The two programs in C: Python would be slower than what it measures."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtests.stand.errors import StandError

_SOURCES: Final = Path(__file__).parent


@dataclass(frozen=True)
class Programs:
    """`load` is the clients, `upstream` who answers."""

    load: Path
    upstream: Path


def compiled(folder: Path) -> Programs:
    """Compiles both into `folder`. Raises StandError."""
    compiler = os.environ.get("CC") or next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise StandError("a C compiler is needed: cc, gcc or clang, or the one that CC names")
    return Programs(_compile(compiler, "load", folder), _compile(compiler, "upstream", folder))


def _compile(compiler: str, name: str, folder: Path) -> Path:
    program = folder / name
    made = subprocess.run(
        [compiler, "-O2", "-o", str(program), str(_SOURCES / f"{name}.c")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if made.returncode != 0:
        raise StandError(f"{compiler} could not make {name}: {made.stderr.strip()[-500:]}")
    return program
