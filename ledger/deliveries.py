"""The outbox of mails: each is claimed by one worker at a time, and its outcome noted.

A worker that dies between the mail server's answer and the note leaves the outcome unknown: the mail is sent again,
after the lease, under the same Message-ID. So each arrives at least once, and mail servers can tell a repetition.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.database import Connection

LEASE = timedelta(minutes=5)
"""How long one attempt may take at most."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720))
"""Between attempts; after the last, one more is made."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is this worker's to make until the lease ends. `attempts` counts this one too."""

    id: str
    notification_id: str
    recipient: str | None
    attempts: int
    round: int


async def claim(connection: Connection, at: datetime) -> Claimed | None:
    """One that is due at `at`; None if none is."""
    await connection.execute(
        "update notification_delivery set status = 'dead', error = coalesce(error, 'how it ended is not known')"
        " where status = 'sending' and due_at <= $1 and attempts > $2",
        *(at, len(PAUSES)),
    )
    row = await connection.fetchrow(
        "update notification_delivery set status = 'sending', attempts = attempts + 1, due_at = $2"
        " where id = (select id from notification_delivery where status in ('waiting', 'sending')"
        " and (due_at is null or due_at <= $1) order by due_at nulls first, id limit 1 for update skip locked)"
        " returning id, notification_id, recipient, attempts, round",
        *(at, at + LEASE),
    )
    return None if row is None else Claimed(**dict(row))


async def sent(connection: Connection, claimed: Claimed, at: datetime) -> None:
    await connection.execute(
        "update notification_delivery set status = 'sent', sent_at = $3, due_at = null, error = null"
        " where id = $1 and round = $2",
        *(claimed.id, claimed.round, at),
    )


async def failed(
    connection: Connection, claimed: Claimed, at: datetime, error: str, *, for_good: bool = False
) -> bool:
    """It is tried again after a pause; not if that failed often enough, or is known to be `for_good`. Whether it is
    dead."""
    dead = for_good or claimed.attempts > len(PAUSES)
    due_at = None if dead else at + PAUSES[claimed.attempts - 1]
    await connection.execute(
        "update notification_delivery set status = $3, due_at = $4, error = $5"
        " where id = $1 and round = $2 and status = 'sending'",
        *(claimed.id, claimed.round, "dead" if dead else "waiting", due_at, error[:500]),
    )
    return dead


async def keep(connection: Connection, claimed: Claimed, why: str) -> None:
    """Nobody can be told by mail now; people read it here, or have it sent later."""
    await connection.execute(
        "update notification_delivery set status = 'kept', attempts = 0, due_at = null, error = $3"
        " where id = $1 and round = $2",
        *(claimed.id, claimed.round, why),
    )


async def keep_all(connection: Connection, why: str) -> int:
    """All that wait, where there is no mail server. How many."""
    done = await connection.execute(
        "update notification_delivery set status = 'kept', attempts = 0, due_at = null, error = $1"
        " where status = 'waiting'",
        why,
    )
    return int(done.rpartition(" ")[2])
