"""`tollkeeper demo`: the tour, with progress and a table at the end."""

import argparse
from collections.abc import Mapping

import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from config.settings import Settings
from runtime import ports
from runtime.demo.tour import CALL_SECONDS, Step, Tour, TourError
from runtime.errors import CommandError
from runtime.vault import DEMO_KEY, Vault, with_secrets


async def command(settings: Settings, _options: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    settings = with_secrets(settings, generate=False)
    key, token, server = (
        Vault(settings.data_dir).read(DEMO_KEY),
        settings.secrets.admin_token,
        settings.server,
    )
    if key is None or token is None:
        raise CommandError(f"no demo key in {settings.data_dir}; start everything with `tollkeeper up` first")
    proxy = _client(ports.url(server.proxy_host, server.proxy_port), key)
    console = _client(ports.url(server.console_host, server.console_port), token.get_secret_value())
    screen = Console()
    async with proxy, console:
        try:
            await _show(Tour(proxy, console), screen)
        except TourError as error:
            raise CommandError(f"the demo stopped: {error}") from None
        except httpx.HTTPError as error:
            address = error.request.url.copy_with(path="", query=None)
            raise CommandError(
                f"{address} does not answer ({type(error).__name__}); is `up` running?"
            ) from None
    return 0


def _client(base_url: str, token: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=CALL_SECONDS, trust_env=False)


async def _show(tour: Tour, screen: Console) -> None:
    steps: list[Step] = []
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=screen, transient=True
    ) as progress:
        task = progress.add_task("")
        for title, act in (("a call", tour.call), ("a stream", tour.stream), ("a refusal", tour.refusal)):
            progress.update(task, description=title)
            step = await act()
            steps.append(step)
            screen.print(f"[green]done[/] {step.title}: {step.outcome}  [dim]{step.milliseconds:.0f} ms[/]")
        progress.update(task, description="their records in Postgres")
        billed = [step for step in steps if step.title != "a refusal at the limit"]
        records = await tour.records({step.request_id for step in billed})
    table = Table(
        "request", "what", "status", "tokens in", "out", "cost USD", "source", title="usage records"
    )
    titles = {step.request_id: step.title for step in steps}
    for record in records:
        table.add_row(
            record["request_id"],
            titles[record["request_id"]],
            str(record["status"]),
            str(record["input_tokens"]),
            str(record["output_tokens"]),
            str(record["cost_usd"]),
            str(record["usage_source"]),
        )
    screen.print(table)
