"""Where a figure was taken: it means little without."""

import os
import platform
import subprocess
import sysconfig
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runtime.parts import ROOT


@dataclass(frozen=True)
class Surroundings:
    """`commit` ends in + where files differ from it, and is empty outside of a repository."""

    date: str
    commit: str
    machine: str
    cores: int
    kernel: str
    python: str


def surroundings() -> Surroundings:
    return Surroundings(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        machine=_processor(),
        cores=len(os.sched_getaffinity(0)),
        kernel=f"{platform.system()} {platform.release()}",
        python=_python(),
    )


def _python() -> str:
    """Which build runs matters: one made with a profile (PGO) is a third faster."""
    words = sysconfig.get_config_var("CONFIG_ARGS") or ""
    made = [
        text for word, text in (("--enable-optimizations", "PGO"), ("--with-lto", "LTO")) if word in words
    ]
    how = ", ".join([platform.python_compiler(), *(made or ["no PGO"])])
    return f"{platform.python_implementation()} {platform.python_version()} ({how})"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _commit() -> str:
    commit = _git("rev-parse", "--short=12", "HEAD")
    return commit + "+" if commit and _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*words: str) -> str:
    try:
        told = subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
