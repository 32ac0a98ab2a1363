"""People are told before an API key expires and before a trial ends."""

from datetime import datetime, timedelta

from billing_worker.job import Context, Report
from ledger import expiries as ending
from ledger import notifications
from ledger.database import transaction
from ledger.notice_kinds import KeyExpiring, TrialEnding
from ledger.records import rfc3339

KEYS = timedelta(days=7)
TRIALS = timedelta(days=3)


async def expiries(context: Context, at: datetime) -> Report:
    """Each once, for one time of its end."""
    keys = trials = 0
    async with transaction(context.pool) as connection:
        for key in await ending.keys(connection, at, at + KEYS):
            queued = await notifications.queue(
                connection,
                kind="key_expiring",
                organization_id=key.organization_id,
                key=f"{key.id}/{rfc3339(key.expires_at)}",
                values=KeyExpiring(name=key.name, prefix=key.prefix, expires_at=key.expires_at),
            )
            keys += queued is not None
        for trial in await ending.trials(connection, at, at + TRIALS):
            queued = await notifications.queue(
                connection,
                kind="trial_ending",
                organization_id=trial.organization_id,
                key=f"{trial.id}/{rfc3339(trial.ends_at)}",
                values=TrialEnding(
                    plan=trial.plan,
                    ends_at=trial.ends_at,
                    monthly_price=trial.monthly_price,
                    currency=trial.currency,
                ),
            )
            trials += queued is not None
    return {"keys": keys, "trials": trials}
