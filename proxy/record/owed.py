"""What is owed to Redis until it has confirmed it: asked as often as it takes, it counts once. No I/O.

It is asked in one of three ways. Fresh: within the time that Redis remembers what was done. Late: it may have been done
so long ago that Redis has forgotten it, and then says so. Sure: it was looked for elsewhere and not found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

import orjson

from proxy.deferred import work
from proxy.deferred.kinds import KINDS
from proxy.deferred.work import Work
from proxy.pipeline import Argument, Script
from proxy.quota import settlement
from proxy.quota.amounts import NOTHING_STORED, Amounts, Hold, Storage
from proxy.quota.scripts import Scripts
from proxy.record import draft, form

How: TypeAlias = Literal["fresh", "late", "sure"]
Question: TypeAlias = tuple[Script, list[str], list[Argument]]

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Settlement:
    """A hold that ends: settled by `used` and `record`, or given back. `more`: further records of the same work."""

    hold: Hold
    used: Amounts
    record: bytes
    mode: Literal["settle", "release"]
    more: tuple[bytes, ...] = ()
    remember_seconds: int | None = None
    storage: Storage = NOTHING_STORED

    @property
    def name(self) -> str:
        return self.hold.request_id

    @property
    def records(self) -> tuple[bytes, ...]:
        return () if self.mode == "release" else (self.record, *self.more)

    def question(self, scripts: Scripts, how: How) -> Question:
        mode: settlement.Mode = "late" if how == "late" and self.mode == "settle" else self.mode
        names, arguments = settlement.settle(
            *(self.hold, self.used, self.record, mode),
            more=self.more,
            remember_seconds=self.remember_seconds,
            storage=self.storage,
        )
        return scripts.settle, names, arguments

    def after(self, reply: int) -> "Settlement | None":
        """What is owed still: the same, where the hold was booked. None once it is done."""
        if reply <= settlement.DONE_WITHOUT_HOLD:
            return None
        return replace(self, hold=self.hold._replace(period_start_ms=reply))


@dataclass(frozen=True, slots=True)
class Standing:
    """A hold that stands for work that goes on, of which the ledger must be told."""

    work: Work

    @property
    def hold(self) -> Hold:
        return self.work.hold

    @property
    def name(self) -> str:
        return f"{self.hold.request_id} {self.work.id}"

    @property
    def records(self) -> tuple[bytes, ...]:
        return (work.write(self.work),)

    def question(self, scripts: Scripts, how: How) -> Question:
        going_on = self.work
        names, arguments = settlement.keep(
            *(going_on.hold, KINDS[going_on.kind].life * 1000, going_on.most_output),
            *(draft.write(going_on.made), going_on.id, work.write(going_on)),
            sure=how != "late",
        )
        return scripts.keep, names, arguments

    def after(self, _reply: int) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that was let go on while Redis was away: without a hold, nothing else tells of it if this process dies.
    `what` is its draft."""

    hold: Hold
    at_ms: int
    what: bytes

    def ended(self, now_ms: int) -> Settlement:
        """As nobody knows what was delivered, what is certain is charged. Raises form.UnreadableRecord."""
        record, used = draft.expired(draft.read(self.what), at_ms=self.at_ms, now_ms=now_ms, delivered=0)
        return Settlement(self.hold, used, form.write(record), "settle")


Owed: TypeAlias = Settlement | Standing


def write(owed: Owed | Begun) -> bytes:
    return orjson.dumps({"v": _VERSION, **_parts(owed)})


def _parts(owed: Owed | Begun) -> dict[str, Any]:
    match owed:
        case Settlement():
            return {
                "settlement": {
                    "hold": list(owed.hold),
                    "used": list(owed.used),
                    "mode": owed.mode,
                    "records": [record.decode() for record in (owed.record, *owed.more)],
                    "remember_seconds": owed.remember_seconds,
                    "storage": list(owed.storage),
                }
            }
        case Standing():
            return {"standing": orjson.Fragment(work.write(owed.work))}
        case Begun():
            return {"begun": {"hold": list(owed.hold), "at_ms": owed.at_ms, "what": owed.what.decode()}}


def read(data: bytes) -> Owed | Begun:
    """Raises form.UnreadableRecord."""
    try:
        parts = orjson.loads(data)
        if parts["v"] != _VERSION:
            raise form.UnreadableRecord(f"version {parts['v']!r} is not known")  # noqa: TRY301
        match parts:
            case {"settlement": told}:
                record, *more = (each.encode() for each in told["records"])
                return Settlement(
                    *(_hold(told), Amounts(*told["used"]), record, told["mode"], tuple(more)),
                    remember_seconds=told["remember_seconds"],
                    storage=Storage(*told["storage"]),
                )
            case {"standing": told}:
                return Standing(work.read(orjson.dumps(told)))
            case {"begun": told}:
                return Begun(_hold(told), told["at_ms"], told["what"].encode())
    except form.UnreadableRecord:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise form.UnreadableRecord(f"{type(error).__name__}: {error}") from None
    raise form.UnreadableRecord("nothing that is known here")


def _hold(told: Mapping[str, Any]) -> Hold:
    partition, request_id, scopes, period_start_ms, stores = told["hold"]
    return Hold(partition, request_id, tuple(scopes), period_start_ms, stores)
