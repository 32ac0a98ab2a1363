"""results/README.md: one section for each measurement whose file is there."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from loadtests.report import speed
from loadtests.report.table import number, table
from loadtests.stand import results
from loadtests.stand.surroundings import Surroundings

_HEAD: Final = (
    "# Results\n\nWritten by the measurements of loadtests/; each figure is worth what stands beside it.\n"
)


def write(folder: Path) -> Path:
    """The page, and its pictures."""
    parts = [_HEAD]
    for name, (title, section) in _SECTIONS.items():
        if (found := results.read(folder, name)) is not None:
            where, told = found
            parts.append(f"## {title}\n\n{_where(where)}\n\n{section(told, folder)}")
    page = folder / "README.md"
    page.write_text("\n".join(parts), "utf-8")
    return page


def _where(where: Surroundings) -> str:
    return (
        f"{where.machine}, {where.cores} cores, {where.kernel}; {where.python}; commit {where.commit or 'unknown'}; "
        f"{where.date}."
    )


def _speed(told: Mapping[str, Any], folder: Path) -> str:
    drawn = speed.charts(told["figures"])
    for name, text in drawn.items():
        (folder / name).write_text(text, "utf-8")
    pictures = "\n".join(f"![{name}]({name})" for name in drawn)
    redis = "which syncs each write to the disk" if told["durable"] else "which keeps nothing on the disk"
    notes = [f"Medians of {told['rounds']} rounds of {told['seconds']:g} s; Redis, {redis}."]
    if not told["apart"]:
        notes.append("The machine has too few cores: what is measured shares one with the load.")
    if told["ready_seconds"]:
        notes.append(f"From the command to ready, servers up: {told['ready_seconds']:.2f} s.")
    return f"{' '.join(notes)}\n\n{speed.tables(told['figures'])}\n{pictures}\n"


def _workers(told: Mapping[str, Any], _folder: Path) -> str:
    rows = [[str(each["workers"]), number(each["rate"]), number(each["p99"])] for each in told["figures"]]
    apart = (
        "" if told["apart"] else "The machine has too few cores for two workers and what works for them.\n\n"
    )
    return f"{apart}{table(['workers', 'calls/s', 'p99 ms'], rows)}"


def _drain(told: Mapping[str, Any], _folder: Path) -> str:
    speed, names = told["speed"], ("drain_cpu", "postgres_cpu", "redis_cpu")
    moved = [[number(speed["rate"]), *(number(speed[name]) for name in names)]]
    calls = [
        [title, number(told[name]["p50"]), number(told[name]["p99"])]
        for name, title in (("quiet", "nothing is drained"), ("draining", "a backlog is drained"))
    ]
    head = ["records/s", *(f"{name.removesuffix('_cpu')} CPU us/record" for name in names)]
    return f"{table(head, moved)}\n{table(['calls while', 'p50 ms', 'p99 ms'], calls)}"


def _soak(told: Mapping[str, Any], _folder: Path) -> str:
    rows = []
    for part, each in told["memory"].items():
        slope = each["trend"]
        rows.append([part, *map(number, (each["last"], each["peak"], slope["slope"], slope["margin"]))])
    load = f"{told['seconds']:.0f} s of {told['rate']:g} JSON calls/s and 32 streams: {told['calls']:,} calls in all."
    return f"{load}\n\n{table(['part', 'MB', 'at most', 'MB an hour', '95 % within'], rows)}"


def _state(told: Mapping[str, Any], _folder: Path) -> str:
    size, empty, full = told["size"], told["empty"], told["full"]
    there = (
        f"{size['organizations']:,} organizations, {size['api_keys']:,} API keys, {size['usage']:,} usage rows: "
        f"{told['gigabytes']:.1f} GB."
    )
    names = {
        "ready": "start to ready, s",
        "rate": "calls/s at 64 clients",
        "p50": "p50 at one client, ms",
        "proxy_cpu": "proxy CPU us/call",
        "redis_cpu": "redis CPU us/call",
        "drain_rate": "records/s into Postgres",
        "resident_mb": "proxy MB",
    }
    rows = [
        [title, number(empty[name]), number(full[name]), f"{full[name] / empty[name] - 1:+.1%}"]
        for name, title in names.items()
    ]
    return f"{there}\n\n{table(['', 'empty', 'full', 'difference'], rows)}"


_SECTIONS: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any], Path], str]]]] = {
    "bench": ("Beside its peers", _speed),
    "workers": ("More workers", _workers),
    "drain": ("Records into Postgres", _drain),
    "soak": ("Memory", _soak),
    "state": ("A full ledger beside an empty one", _state),
}
