"""What is replayed however late counts once: whatever became of it before, in Redis, in the stream or in the ledger."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from ledger.database import DatabaseUnavailable, Pool, close_pool, open_pool
from ledger.limits import Limits
from ledger.migrations import migrate
from ledger.rating import Tariff
from ledger.usage import Usage
from ledger.usage_record import UsageRecord
from proxy.deferred import work
from proxy.deferred.work import Work
from proxy.pipeline import RedisPipeline
from proxy.quota import keys, settlement
from proxy.quota.admission import question
from proxy.quota.amounts import NOTHING, Amounts, Demand, Hold
from proxy.quota.calendar import Span
from proxy.quota.clock import milliseconds
from proxy.quota.limits import Scope
from proxy.quota.scopes import Scopes
from proxy.quota.scripts import Scripts
from proxy.record import form, owed
from proxy.record.batches import Batches, decode
from proxy.record.draft import Draft
from proxy.record.draft import write as write_draft
from proxy.record.money import Money
from proxy.record.owed import Begun, Settlement, Standing
from proxy.record.recovery import Recovery
from proxy.record.replay import Replay
from proxy.record.spool import Spool
from proxy.record.stream import Entry
from tests.epochs import open_all

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PARTITION = 7
SPAN = Span(1000, 10**14, 2 * 10**14)
SCOPE = Scope.of("o:one", Limits(tokens_per_month=100_000))
RECORD = UsageRecord(
    request_id="req_1", occurred_at=NOW, organization_id="one", project_id=None, key_id=None, member_id=None,
    endpoint="/v1/chat/completions", model="gpt-4o-mini", upstream="here", stream=False, status=200,
    outcome="completed", usage=Usage(input_tokens=30, output_tokens=12), usage_source="provider", cost_nano_usd=1,
    cost_nano_eur=1, price_nano=9, price_nano_eur=9, currency="EUR", usd_per_eur=Decimal("1.16"), price_ref=None,
    request_bytes=80, response_bytes=400, first_byte_ms=None, duration_ms=30, search_term=None,
)  # fmt: skip
USED = Amounts(1, 42, 9, 480)
DRAFT = Draft(replace(RECORD, usage=Usage(input_tokens=30)), (SCOPE.id,), Money(0, 0, 0, 0, 0))


def settled(request_id: str = "req_1") -> Settlement:
    record = form.write(replace(RECORD, request_id=request_id))
    return Settlement(Hold(PARTITION, request_id, (SCOPE.id,), SPAN.start), USED, record, "settle")


def standing(request_id: str = "req_1") -> Standing:
    made = replace(DRAFT, record=replace(DRAFT.record, request_id=request_id))
    tariff = Tariff((), Decimal(0), "EUR")
    return Standing(
        Work("batch_1", "batch", "/v1/batches/batch_1", PARTITION, SPAN.start, 1, 5, tariff, "batch", made)
    )


@dataclass
class Stage:
    redis: RedisPipeline
    scripts: Scripts
    pool: Pool
    replay: Replay

    async def admit(self, request_id: str) -> None:
        await self.redis.send_script(
            self.scripts.seed, *settlement.seed(PARTITION, SCOPE.id, SPAN.start, NOTHING, 10**11)
        )
        asked = question(
            PARTITION, request_id, Scopes((SCOPE,)), SPAN, Demand(30, 7, 20, 20, 1),
            latest_ms=0, ttl_ms=60_000, what=write_draft(DRAFT),
        )  # fmt: skip
        assert (await self.redis.send_script(self.scripts.admit, *asked))[0] == 1

    async def done(self, item: owed.Owed) -> None:
        """As the settler asks, soon after."""
        assert await self.redis.send_script(*item.question(self.scripts, "fresh")) in (1, 2)

    async def forget(self, request_id: str = "req_1") -> None:
        """As if Redis remembered no longer that this was done."""
        assert await self.redis.send("DEL", keys.hold(PARTITION, request_id)) == 1

    async def drain(self) -> None:
        stream = keys.stream(PARTITION)
        entries = await self.redis.send("XRANGE", stream, "-", "+")
        lying = [Entry(stream, name.decode(), fields[1]) for name, fields in entries]
        await Batches(self.pool).store(decode(lying, NOW))
        await self.redis.send("DEL", stream)
        await self.pool.execute("update usage set recorded_at = now() - interval '1 minute'")

    async def counted(self) -> tuple[int, int, int]:
        """Requests, tokens and held tokens."""
        found = await self.redis.send("HMGET", keys.period(PARTITION, SCOPE.id, SPAN.start), "r", "t", "ht")
        return int(found[0] or 0), int(found[1] or 0), int(found[2] or 0)

    async def waiting(self) -> int:
        return int(await self.redis.send("XLEN", keys.stream(PARTITION)))


@pytest.fixture
async def stage(redis_url: str, empty_database_url: str) -> AsyncIterator[Stage]:
    await migrate(empty_database_url)
    pool = await open_pool(empty_database_url, size=2)
    redis = RedisPipeline(redis_url, timeout=5)
    scripts = Scripts(redis)
    await redis.connect()
    await open_all(redis)
    yield Stage(redis, scripts, pool, Replay(redis, scripts, pool))
    await redis.close()
    await close_pool(pool)


async def test_what_was_never_done_is_done(stage: Stage) -> None:
    await stage.admit("req_1")
    await stage.replay.settle([settled()])
    assert (await stage.counted(), await stage.waiting()) == ((1, 42, 0), 1)


async def test_what_redis_still_remembers_is_not_done_again(stage: Stage) -> None:
    await stage.admit("req_1")
    await stage.done(settled())
    await stage.replay.settle([settled(), settled()])
    assert (await stage.counted(), await stage.waiting()) == ((1, 42, 0), 1)


async def test_what_redis_has_forgotten_is_found_in_the_stream(stage: Stage) -> None:
    for number in range(450):
        await stage.done(settled(f"req_{number}"))
    await stage.forget("req_431")
    await stage.replay.settle([settled("req_431")])
    assert (await stage.counted(), await stage.waiting()) == ((450, 450 * 42, 0), 450)


async def test_what_redis_has_forgotten_is_found_in_the_ledger(stage: Stage) -> None:
    await stage.admit("req_1")
    await stage.done(settled())
    await stage.drain()
    await stage.forget()
    await stage.replay.settle([settled()])
    assert (await stage.counted(), await stage.waiting()) == ((1, 42, 0), 0)


async def test_what_became_a_row_just_when_redis_lost_everything_is_counted_rather_than_forgotten(
    stage: Stage,
) -> None:
    await stage.done(settled())
    await stage.drain()
    await stage.pool.execute("update usage set recorded_at = now()")
    await stage.redis.send("FLUSHDB")
    await open_all(stage.redis)
    # Rebuilt by another proxy, from a ledger that did not have the row yet.
    await stage.admit("req_2")
    await stage.replay.settle([settled()])
    assert (await stage.counted())[:2] == (1, 42)
    await stage.drain()
    assert await stage.pool.fetchval("select count(*) from usage") == 1


async def test_what_became_a_dead_letter_is_not_done_again(stage: Stage) -> None:
    item = replace(settled(), record=b'{"v":1,"request_id":"req_1"}')
    await stage.done(item)
    await stage.drain()
    await stage.forget()
    await stage.replay.settle([item])
    assert (await stage.counted(), await stage.waiting()) == ((1, 42, 0), 0)


async def test_what_is_nowhere_is_done_though_its_hold_is_lost(stage: Stage) -> None:
    await stage.replay.settle([settled("req_1"), settled("req_2"), settled("req_1")])
    assert (await stage.counted(), await stage.waiting()) == ((2, 84, 0), 2)


async def test_a_hold_that_was_swept_meanwhile_stays_settled(stage: Stage) -> None:
    await stage.admit("req_1")
    await stage.redis.send("ZADD", keys.holds(PARTITION), 1, "req_1")
    swept = settlement.settle(settled().hold, USED, settled().record, "sweep")
    assert await stage.redis.send_script(stage.scripts.settle, *swept) == 1
    await stage.replay.settle([settled()])
    assert (await stage.counted(), await stage.waiting()) == ((1, 42, 0), 1)


async def test_a_release_gives_back_what_is_held_and_counts_nothing(stage: Stage) -> None:
    await stage.admit("req_1")
    released = replace(settled(), mode="release", used=NOTHING, record=b"")
    await stage.replay.settle([released])
    await stage.forget()
    await stage.replay.settle([released])
    assert (await stage.counted(), await stage.waiting()) == ((0, 0, 0), 0)


@pytest.mark.parametrize("forgotten", [False, True])
async def test_work_that_goes_on_is_told_once_and_its_settlement_counts_once(
    stage: Stage, forgotten: bool
) -> None:
    await stage.admit("req_1")
    await stage.replay.settle([standing()])
    await stage.replay.settle([standing()])
    assert (await stage.counted())[:2] == (0, 0)
    await stage.drain()
    [row] = await stage.pool.fetch("select request_id, kind from deferred_call")
    assert tuple(row) == ("req_1", "batch")
    if forgotten:
        await stage.forget()
        await stage.replay.settle([standing()])
        assert await stage.waiting() == 0
    await stage.replay.settle([settled()])
    await stage.replay.settle([settled()])
    assert ((await stage.counted())[:2], await stage.waiting()) == ((1, 42), 1)
    await stage.drain()
    await stage.forget()
    await stage.replay.settle([standing(), settled()])
    assert ((await stage.counted())[:2], await stage.waiting()) == ((1, 42), 0)
    assert await stage.pool.fetch("select * from deferred_call") == []


async def test_work_that_is_told_after_it_was_charged_is_not_looked_at_again(stage: Stage) -> None:
    told = replace(standing().work, at_ms=milliseconds(NOW))
    for number, payload in enumerate((form.write(RECORD), work.write(told))):
        entry = Entry(keys.stream(PARTITION), f"{number}-1", payload)
        await Batches(stage.pool).store(decode([entry], NOW))
    assert await stage.pool.fetchval("select count(*) from deferred_call") == 0


async def test_work_whose_hold_redis_lost_is_told_all_the_same(stage: Stage) -> None:
    await stage.replay.settle([standing()])
    await stage.drain()
    assert len(await stage.pool.fetch("select * from deferred_call")) == 1


async def test_without_the_ledger_what_is_in_doubt_waits_and_what_is_not_is_done(stage: Stage) -> None:
    await stage.admit("req_1")
    nowhere = await open_pool("postgresql:///none?host=/nowhere", connect_seconds=1)
    with pytest.raises(DatabaseUnavailable):
        await Replay(stage.redis, stage.scripts, nowhere).settle([settled("req_1"), settled("req_2")])
    await close_pool(nowhere)
    assert (await stage.counted(), await stage.waiting()) == ((1, 42, 0), 1)


def recovery(stage: Stage, directory: Path, spool: Spool | None = None) -> Recovery:
    return Recovery(stage.replay, stage.pool, directory, spool, lambda: NOW)


@pytest.mark.parametrize(
    "item", [settled(), replace(settled(), more=(b"{}",), remember_seconds=7), standing()]
)
def test_what_is_written_is_read_as_it_was(item: owed.Owed) -> None:
    assert owed.read(owed.write(item)) == item


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"7", b'{"v":2}', b'{"v":1}', b'{"v":1,"settlement":{}}', b'{"v":1,"standing":7}']
)
def test_what_is_nothing_that_is_owed_says_so(data: bytes) -> None:
    with pytest.raises(form.UnreadableRecord):
        owed.read(data)


async def test_what_the_dead_left_is_settled_once_and_its_file_removed(stage: Stage, tmp_path: Path) -> None:
    await stage.admit("req_1")
    spool = Spool(tmp_path, 10**6)
    begun = [
        Begun(
            settled(f"req_{n}").hold,
            1_763_000_000_000,
            write_draft(replace(DRAFT, record=replace(DRAFT.record, request_id=f"req_{n}"))),
        )
        for n in (2, 3)
    ]
    await spool.write([owed.write(each) for each in begun])
    await spool.write([owed.write(settled("req_1")), owed.write(settled("req_2")), b"what nobody can read"])
    await spool.close(1)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() + b"torn")
    await asyncio.gather(recovery(stage, tmp_path).once(), recovery(stage, tmp_path).once())
    assert list(tmp_path.iterdir()) == []
    assert (await stage.counted(), await stage.waiting()) == ((3, 42 + 42 + 30, 0), 3)
    [letter] = await stage.pool.fetch("select stream, payload from dead_letter")
    assert tuple(letter) == ("spool", b"what nobody can read")
    await stage.drain()
    rows = await stage.pool.fetch("select request_id, outcome from usage order by request_id")
    assert [tuple(row) for row in rows] == [
        ("req_1", "completed"),
        ("req_2", "completed"),
        ("req_3", "expired"),
    ]


async def test_a_file_that_cannot_be_settled_now_stays(stage: Stage, tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10**6)
    await spool.write([owed.write(settled())])
    await spool.close(1)
    nowhere = await open_pool("postgresql:///none?host=/nowhere", connect_seconds=1)
    with pytest.raises(DatabaseUnavailable):
        await Recovery(
            Replay(stage.redis, stage.scripts, nowhere), nowhere, tmp_path, None, lambda: NOW
        ).once()
    await close_pool(nowhere)
    await recovery(stage, tmp_path).once()
    assert (await stage.counted(), await stage.waiting()) == ((1, 42, 0), 1)


async def test_the_living_settle_what_is_on_their_own_disk_and_empty_it(stage: Stage, tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10**6)
    running = asyncio.create_task(recovery(stage, tmp_path, spool).run())
    for number in range(3):
        await spool.write([owed.write(settled(f"req_{number}"))])
        async with asyncio.timeout(10):
            while spool.size:
                await asyncio.sleep(0.01)
    assert (await stage.counted(), await stage.waiting()) == ((3, 3 * 42, 0), 3)
    running.cancel()
    await asyncio.wait([running])
    await spool.close(1)
    assert list(tmp_path.iterdir()) == []


async def test_what_redis_will_never_take_becomes_a_dead_letter_and_holds_up_none_of_the_others(
    stage: Stage, tmp_path: Path
) -> None:
    spool = Spool(tmp_path, 10**6)
    odd = settled("req_2")
    odd = replace(odd, hold=odd.hold._replace(scopes=("o:odd",)))
    await stage.redis.send("SET", keys.period(PARTITION, "o:odd", SPAN.start), "not a hash")
    await spool.write([owed.write(item) for item in (settled("req_1"), odd, settled("req_3"))])
    await recovery(stage, tmp_path, spool).once()
    assert spool.size == 0
    assert (await stage.counted(), await stage.waiting()) == ((2, 84, 0), 2)
    [letter] = await stage.pool.fetch("select payload, reason from dead_letter")
    assert letter["payload"] == odd.record
    assert "WRONGTYPE" in letter["reason"]
    await spool.close(1)
