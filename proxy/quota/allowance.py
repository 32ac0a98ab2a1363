"""What an organization may still use while Redis can't be asked, of plans that allow it. No I/O.

Each process may go on with its part of `percent` of what it last saw left of every limit: one part in as many as there
were processes. It must have seen that within a minute before Redis was lost. So P processes together let at most
`percent` of the most that any of them saw left pass, and never more than `percent` of a limit, rounded down in each.
Limits per minute and of concurrent requests are cut down in the same way, beside what ran when Redis was lost.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from proxy.quota.admission import Admitted
from proxy.quota.amounts import Amounts, Demand
from proxy.quota.limits import MEASURES, Measure, Scope

_FRESH_SECONDS: Final = 60.0
_MINUTE_SECONDS: Final = 62.0
"""A minute as the admission script cuts it."""
_MOST_SCOPES: Final = 50_000


@dataclass(slots=True)
class _Seen:
    """A scope as an admission by Redis showed it: used and held, by measure."""

    at: float
    period_start_ms: int
    minute: tuple[int, ...]
    period: tuple[int, ...]


@dataclass(slots=True)
class _Spent:
    """What a scope has used here that Redis does not know of, and what runs."""

    total: list[int] = field(default_factory=lambda: [0] * len(MEASURES))
    minute: deque[tuple[float, Amounts]] = field(default_factory=deque)
    running: int = 0


class Allowance:
    """`percent` of what is left, and `requests_per_minute` of each organization, whatever its limits. `processes`: how
    many proxies shared Redis when it was last asked."""

    def __init__(
        self,
        percent: int,
        requests_per_minute: int,
        processes: Callable[[], int],
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._percent = percent
        self._requests_per_minute = requests_per_minute
        self._processes = processes
        self._ticks = ticks
        self.granted = 0
        """How many requests were let on."""
        self._heard_at = ticks()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._spent: dict[str, _Spent] = {}
        self._running: dict[str, tuple[tuple[Scope, ...], Amounts]] = {}

    def heard(self) -> None:
        """Redis has answered."""
        self._heard_at = self._ticks()

    def saw(self, scopes: Sequence[Scope], admitted: Admitted) -> None:
        """What an admission by Redis showed."""
        self._heard_at = at = self._ticks()
        for number, scope in enumerate(scopes):
            counts = admitted.minute(number), admitted.period(number)
            self._seen[scope.id] = _Seen(at, admitted.period_start_ms, *counts)
            self._seen.move_to_end(scope.id)
        while len(self._seen) > _MOST_SCOPES:
            self._seen.popitem(last=False)

    def grant(
        self, request_id: str, scopes: tuple[Scope, ...], demand: Demand, at_ms: int, period_start_ms: int
    ) -> Admitted | None:
        """Lets the request on with as much output as there is room for; None where there is none."""
        if not demand.paced:
            return None
        rooms = [self._room(scope, period_start_ms) for scope in scopes]
        output = demand.output
        for room in rooms:
            if room is None:
                return None
            output = min(output, _output_within(demand, room))
        if output < demand.least_output or not self._may_begin(scopes):
            return None
        amounts = demand.amounts(output)
        at = self._ticks()
        for scope in scopes:
            spent = self._spent.setdefault(scope.id, _Spent())
            _add(spent.total, amounts, 1)
            spent.minute.append((at, amounts))
            spent.running += 1
        self._running[request_id] = scopes, amounts
        self.granted += 1
        left = [self._shown(scope, period_start_ms) for scope in scopes]
        return Admitted(
            at_ms=at_ms,
            period_start_ms=period_start_ms,
            output=output,
            counts=tuple(
                count
                for minute, period in left
                for pair in zip(minute, period, strict=True)
                for count in pair
            ),
        )

    def ended(self, request_id: str, used: Amounts | None) -> None:
        """The request ended with `used`; None where all that it holds stays held. Others are none of this."""
        scopes, held = self._running.pop(request_id, ((), None))
        for scope in scopes:
            spent = self._spent[scope.id]
            spent.running -= 1
            if used is not None and held is not None:
                _add(spent.total, held, -1)
                _add(spent.total, used, 1)

    def cleared(self) -> None:
        """Redis knows of all that was used here."""
        if not self._running:
            self._spent.clear()

    # -- What is left

    def _share(self, left: int) -> int:
        return max(0, left) * self._percent // 100 // max(1, self._processes())

    def _room(self, scope: Scope, period_start_ms: int) -> dict[Measure, int] | None:
        """What may still be used, by measure; None for a scope of which too little is known."""
        seen = self._seen.get(scope.id)
        if seen is None or self._heard_at - seen.at > _FRESH_SECONDS:
            return None
        spent = self._spent.get(scope.id) or _Spent()
        passed = self._passed(spent)
        room: dict[Measure, int] = {}
        for index, measure in enumerate(MEASURES):
            limit = scope.limit("period", measure)
            if limit >= 0:
                used = seen.period[index] if seen.period_start_ms == period_start_ms else 0
                room[measure] = self._share(limit - used) - spent.total[index]
            limit = scope.limit("minute", measure)
            if limit >= 0:
                lately = self._ticks() - seen.at < _MINUTE_SECONDS
                left = self._share(limit - (seen.minute[index] if lately else 0)) - passed[index]
                room[measure] = min(room.get(measure, left), left)
        return room

    def _may_begin(self, scopes: tuple[Scope, ...]) -> bool:
        for scope in scopes:
            limit, spent = scope.limit("concurrent", "r"), self._spent.get(scope.id)
            if limit >= 0 and (spent.running if spent else 0) >= self._share(limit):
                return False
        organization = self._spent.get(scopes[0].id)
        return organization is None or self._passed(organization)[0] < self._requests_per_minute

    def _passed(self, spent: _Spent) -> list[int]:
        """In the last minute."""
        before = self._ticks() - _MINUTE_SECONDS
        while spent.minute and spent.minute[0][0] <= before:
            spent.minute.popleft()
        total = [0] * len(MEASURES)
        for _, amounts in spent.minute:
            _add(total, amounts, 1)
        return total

    def _shown(self, scope: Scope, period_start_ms: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """As if all but the allowance were used, for an answer's headers: per minute, and in the period."""
        room = self._room(scope, period_start_ms) or {}
        shown = [
            tuple(scope.limit(window, each) - max(0, room.get(each, 0)) for each in MEASURES)
            for window in ("minute", "period")
        ]
        return shown[0], shown[1]


def _output_within(demand: Demand, room: dict[Measure, int]) -> int:
    """The most output that fits; -1 where not even the input does."""
    most = demand.output
    least = demand.amounts(0)
    for measure, base, per_token in zip(
        MEASURES, least, (0, 1, demand.money_per_output_token, 0), strict=True
    ):
        if measure not in room:
            continue
        if room[measure] < base:
            return -1
        if per_token:
            most = min(most, (room[measure] - base) // per_token)
    return most


def _add(total: list[int], amounts: Amounts, sign: int) -> None:
    for index, amount in enumerate(amounts):
        total[index] += sign * amount
