"""The table of jobs: what runs, and when.

To add a job:

1. Write `billing_worker/jobs/NAME.py`: `async def NAME(context: Context, at: datetime) -> Report | None`.
   `context.pool` and `context.settings` are what it works with; it acts as if it were `at` and asks no clock.
   It may run twice, twice at once, or be killed at any statement: no harm may come of it. Every wait has a bound.
   What it returns (a few figures) is kept with the run; what it raises fails the run, which is tried again by `Retry`.
2. Add a row to JOBS: `"NAME": Job(Cron("0 6 * * *"), NAME)` in UTC, or `Every(timedelta(...))`, and `bound=`, `retry=`
   where the defaults do not fit. Work that needs the proxy is added in runtime/commands/worker.py instead.
3. Test it with `run_once(settings, "NAME", at)` of billing_worker/app.py, or `tollkeeper worker --once NAME --at TIME`.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from billing_worker.job import Job
from billing_worker.jobs.archive import archive
from billing_worker.jobs.closing import closing
from billing_worker.jobs.drafts import drafts
from billing_worker.jobs.exchange_rates import exchange_rates
from billing_worker.jobs.expiries import expiries
from billing_worker.jobs.insights import insights
from billing_worker.jobs.invoice_check import invoice_check
from billing_worker.jobs.job_history import job_history
from billing_worker.jobs.overdue import overdue
from billing_worker.jobs.partitions import partitions
from billing_worker.jobs.plan_limits import plan_limits
from billing_worker.jobs.prices import prices
from billing_worker.jobs.quota_warnings import quota_warnings
from billing_worker.jobs.report_schedules import report_schedules
from billing_worker.jobs.rollups import rollups
from billing_worker.jobs.send_notices import send_notices
from billing_worker.jobs.sla import sla
from billing_worker.jobs.storage import storage
from billing_worker.times import Cron, Every

JOBS: Mapping[str, Job] = MappingProxyType(
    {
        "closing": Job(Cron("7 * * * *"), closing, bound=timedelta(hours=3)),
        "drafts": Job(Cron("30 2 * * *"), drafts, bound=timedelta(hours=3)),
        "invoice_check": Job(Cron("0 5 * * 1"), invoice_check, bound=timedelta(hours=1)),
        "overdue": Job(Cron("45 5 * * *"), overdue),
        "archive": Job(Cron("10 3 * * *"), archive, bound=timedelta(hours=3)),
        "exchange_rates": Job(Cron("45 15,18 * * *"), exchange_rates),
        "job_history": Job(Cron("17 3 * * *"), job_history),
        "partitions": Job(Every(timedelta(hours=1)), partitions),
        "prices": Job(Every(timedelta(hours=1)), prices),
        "expiries": Job(Cron("15 6 * * *"), expiries),
        "plan_limits": Job(Cron("0 6 * * *"), plan_limits, bound=timedelta(hours=1)),
        "quota_warnings": Job(Every(timedelta(minutes=5)), quota_warnings),
        "rollups": Job(Cron("30 1 * * *"), rollups, bound=timedelta(hours=1)),
        "sla": Job(Cron("40 * * * *"), sla, bound=timedelta(minutes=50)),
        "storage": Job(Cron("0 4 * * *"), storage),
        "insights": Job(Cron("30 5 * * *"), insights, bound=timedelta(hours=2)),
        "report_schedules": Job(Cron("5 * * * *"), report_schedules, bound=timedelta(minutes=50)),
        "send_notices": Job(Every(timedelta(minutes=1)), send_notices),
    }
)
