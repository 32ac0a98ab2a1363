"""`tollkeeper worker`: what the clock starts, for ever or one job now."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from billing_worker.app import JobRunningError, JobTimeoutError, UnknownJobError, run, run_once
from billing_worker.job import Context, Job, Report, Retry
from billing_worker.schedule import JOBS
from billing_worker.times import Every
from billing_worker.worker import Pace
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

        async def collect(context: Context, at: datetime) -> Report:
            return {"looked_at": await collector.collect(context.pool, at)}

        async def reconcile(context: Context, at: datetime) -> Report:
            return {"organizations": await repairs.run(context.pool, at)}

        # What the proxy knows how to do is handed in: the worker never imports it.
        jobs = {
            **JOBS,
            "collect": Job(
                Every(timedelta(seconds=settings.server.collect_seconds)),
                collect,
                retry=Retry(first=timedelta(seconds=5)),
            ),
            "reconcile": Job(Every(timedelta(hours=1)), reconcile, bound=timedelta(minutes=30)),
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
    pace = Pace(grace=timedelta(seconds=settings.server.shutdown_grace_seconds))
    with stop_on_signal() as stop:
        await run(settings, stop, jobs=jobs, pace=pace)
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
