"""`tollkeeper worker`: what the clock starts, for ever or one job now."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from billing_worker.app import JobRunningError, JobTimeoutError, UnknownJobError, run, run_once
from billing_worker.schedule import JOBS, Job
from config.settings import Settings
from ledger.database import DatabaseUnavailable
from proxy.deferred.collector import collecting
from proxy.reconciliation.repairs import repairing
from runtime.errors import CommandError, require_stores
from runtime.exits import stop_on_signal
from runtime.vault import with_secrets


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", metavar="JOB", help="run this job now, then end")
    parser.add_argument("--at", metavar="TIME", help="as if it were this time (RFC 3339), with --once")


async def command(settings: Settings, options: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    require_stores(settings)
    settings = with_secrets(settings, generate=False)
    async with collecting(settings) as collector, repairing(settings) as repairs:
        jobs = {
            **JOBS,
            "collect": Job(timedelta(seconds=settings.server.collect_seconds), collector.collect),
            "reconcile": Job(timedelta(hours=1), repairs.run, bound=timedelta(minutes=30)),
        }
        return await _run(settings, options, jobs)


async def _run(settings: Settings, options: argparse.Namespace, jobs: Mapping[str, Job]) -> int:
    if options.once is not None:
        try:
            await run_once(settings, options.once, _moment(options.at), jobs=jobs)
        except (JobRunningError, JobTimeoutError, UnknownJobError, DatabaseUnavailable) as error:
            raise CommandError(str(error)) from None
        return 0
    if options.at is not None:
        raise CommandError("--at goes with --once JOB")
    with stop_on_signal() as stop:
        await run(settings, stop, jobs=jobs)
    return 0


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--at {text} is not a time such as 2026-11-01T00:00:00Z") from None
    if moment.tzinfo is None:
        raise CommandError(f"--at {text} has no time zone; write it such as 2026-11-01T00:00:00Z")
    return moment.astimezone(UTC)
