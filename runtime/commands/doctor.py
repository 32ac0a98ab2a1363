"""`tollkeeper doctor`: says what is wrong and how to mend it. Exit code 1 if something does not work."""

import argparse
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from runtime.doctor.doors import doors
from runtime.doctor.finding import State
from runtime.doctor.issuers import issuers
from runtime.doctor.machine import machine
from runtime.doctor.stores import stores
from runtime.vault import with_secrets

COLOURS = {State.GOOD: "green", State.ODD: "yellow", State.BAD: "bold red"}


async def command(settings: Settings, _options: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    settings = with_secrets(settings, generate=False)
    findings = [
        *machine(settings),
        *await stores(settings),
        *await doors(settings),
        *await issuers(settings),
    ]
    table = Table("", "what", "found", "what to do", box=None, pad_edge=False)
    for finding in findings:
        mark = Text(finding.state, style=COLOURS[finding.state])
        table.add_row(mark, finding.subject, Text(finding.detail), Text(finding.remedy))
    Console().print(table)
    return int(any(finding.state is State.BAD for finding in findings))
