"""Checks of this machine: interpreter, data directory, embedded engines, vocabularies."""

import importlib.resources
import os
import platform
import shutil
import sys
from pathlib import Path

from config.settings import Settings
from runtime.doctor.finding import Finding, bad, good, odd
from runtime.engines.pair import Engines
from runtime.engines.tenant import EngineError

LOW_DISK = 1 << 30
VOCABULARIES = ("cl100k_base.tiktoken", "o200k_base.tiktoken")


def machine(settings: Settings) -> list[Finding]:
    return [_interpreter(), _data_dir(settings.data_dir), _engines(settings), _vocabularies()]


def _interpreter() -> Finding:
    return good("python", f"{platform.python_implementation()} {platform.python_version()} in {sys.prefix}")


def _data_dir(path: Path) -> Finding:
    subject = "data directory"
    if not path.exists():
        return good(subject, f"{path} will be made by the first `tollkeeper up`")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return bad(subject, f"{path} cannot be written", "take over its files, or use another --data-dir")
    free = shutil.disk_usage(path).free
    detail = f"{path}, {free / (1 << 30):.1f} GiB free"
    if free < LOW_DISK:
        return odd(subject, detail, "make room: a full disk stops the engines")
    return good(subject, detail)


def _engines(settings: Settings) -> Finding:
    try:
        engines = Engines(settings)
    except EngineError as error:
        return bad(
            "embedded engines", str(error), "install with `make run`, or set DATABASE_URL and REDIS_URL"
        )
    names = [name for name, engine in (("Postgres", engines.postgres), ("Valkey", engines.valkey)) if engine]
    return good("embedded engines", " and ".join(names) or "not needed: DATABASE_URL and REDIS_URL are known")


def _vocabularies() -> Finding:
    folder = importlib.resources.files("config") / "encodings"
    missing = [name for name in VOCABULARIES if not (folder / name).is_file()]
    if missing:
        return bad("vocabularies", f"{', '.join(missing)} missing", "install again with `make run`")
    return good("vocabularies", "cl100k_base and o200k_base")
