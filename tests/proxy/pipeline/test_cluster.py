"""One pipeline over the nodes of a real cluster: slots that move, nodes that freeze, replicas that take over."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
from redis.exceptions import ResponseError

from ledger.partitions import PARTITIONS, tag
from proxy.pipeline import RedisPipeline, RedisReplyError, RedisUnavailable
from proxy.pipeline.slots import slot_of
from tests.valkey_cluster import ValkeyCluster, wait

BOUND = 0.25
SLACK = 0.15


@pytest.fixture
async def pipeline(valkey_cluster: ValkeyCluster) -> AsyncIterator[RedisPipeline]:
    wait(lambda: valkey_cluster.whole, "the cluster to be whole")
    for node in valkey_cluster.primaries:
        node.ask("FLUSHALL")
    made = RedisPipeline(valkey_cluster.url, timeout=BOUND)
    await made.connect()
    yield made
    await made.close()


async def until(look: Callable[[], bool], what: str, seconds: float = 10) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not look():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None


async def test_each_key_goes_to_its_node_and_a_command_without_one_to_any(
    pipeline: RedisPipeline, valkey_cluster: ValkeyCluster
) -> None:
    script = pipeline.script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    names = [f"{tag(partition)}:n" for partition in range(PARTITIONS)]
    runs = [pipeline.send_script(script, [name], [number]) for number, name in enumerate(names)]
    assert await asyncio.gather(*runs) == list(range(PARTITIONS))
    assert await asyncio.gather(*(pipeline.send("GET", name) for name in names)) == [
        b"%d" % number for number in range(PARTITIONS)
    ]
    sizes = [node.client.dbsize() for node in valkey_cluster.primaries]
    assert sum(sizes) == PARTITIONS
    assert all(sizes)
    seconds, _ = await pipeline.send("TIME")
    assert abs(int(seconds) - time.time()) < 5


async def test_any_node_leads_to_all(valkey_cluster: ValkeyCluster) -> None:
    last = valkey_cluster.primaries[-1]
    pipeline = RedisPipeline(f"redis+cluster://127.0.0.1:1,127.0.0.1:{last.port}", timeout=BOUND)
    await pipeline.connect()
    for partition in range(PARTITIONS):
        assert await pipeline.execute("SET", f"{tag(partition)}:n", 1) == b"OK"
    await pipeline.close()


async def test_a_single_server_is_not_taken_for_a_cluster() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"+PONG\r\n", b"-ERR This instance has cluster support disabled\r\n"):
            await reader.read(65536)
            writer.write(answer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    pipeline = RedisPipeline(f"redis+cluster://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=BOUND)
    with pytest.raises(RedisUnavailable, match="cluster support disabled"):
        await pipeline.connect()
    assert not pipeline.available
    await pipeline.close()
    server.close()


async def test_a_frozen_node_fails_its_own_keys_alone_and_is_used_again(
    pipeline: RedisPipeline, valkey_cluster: ValkeyCluster
) -> None:
    frozen, other, *_ = valkey_cluster.primaries
    lost, kept = (f"{tag(valkey_cluster.partition_at(node))}:n" for node in (frozen, other))
    with frozen.frozen():
        begun = time.monotonic()
        outcomes = await asyncio.gather(
            *(pipeline.execute("INCR", name) for name in (lost, kept, lost, kept)), return_exceptions=True
        )
        assert time.monotonic() - begun < BOUND + SLACK
        assert [type(outcome) for outcome in outcomes] == [RedisUnavailable, int, RedisUnavailable, int]
        assert pipeline.available
        begun = time.monotonic()
        for _ in range(50):
            with pytest.raises(RedisUnavailable):
                pipeline.send("INCR", lost)
            await pipeline.execute("TIME")
        assert time.monotonic() - begun < SLACK
    await until_served(pipeline, lost)


async def until_served(pipeline: RedisPipeline, name: str) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await pipeline.execute("INCR", name)
            except RedisUnavailable:
                await asyncio.sleep(0.02)
            else:
                return


async def test_a_slot_that_moves_under_load_loses_and_doubles_nothing(
    pipeline: RedisPipeline, valkey_cluster: ValkeyCluster
) -> None:
    source, target, *_ = valkey_cluster.primaries
    partition = valkey_cluster.partition_at(source)
    names = [f"{tag(partition)}:{number}" for number in range(50)]
    done = dict.fromkeys(names, 0)
    moving = True

    async def count(name: str) -> None:
        while moving:
            await pipeline.execute("INCR", name)
            done[name] += 1

    counting = [asyncio.create_task(count(name)) for name in names]
    for to in (target, source) * 3:
        await asyncio.to_thread(valkey_cluster.move, partition, to)
    moving = False
    await asyncio.gather(*counting)
    values = await asyncio.gather(*(pipeline.execute("GET", name) for name in names))
    assert [int(value) for value in values] == list(done.values())
    assert min(done.values()) > 5


async def test_a_slot_that_moves_at_once_is_noticed_by_nobody(
    pipeline: RedisPipeline, valkey_cluster: ValkeyCluster
) -> None:
    source, target, *_ = valkey_cluster.primaries
    partition = valkey_cluster.partition_at(source)
    script = pipeline.script("redis.call('SET', KEYS[1], 1) return redis.call('INCR', KEYS[2])")
    done, moving = 0, True

    async def count(number: int) -> None:
        nonlocal done
        while moving:
            await pipeline.send_script(
                script, [f"{tag(partition)}:{done}:{number}", f"{tag(partition)}:n"], []
            )
            done += 1

    counting = [asyncio.create_task(count(number)) for number in range(20)]
    for to in (target, source):
        await asyncio.to_thread(valkey_cluster.move_at_once, partition, to)
    moving = False
    await asyncio.gather(*counting)
    assert int(await pipeline.execute("GET", f"{tag(partition)}:n")) == done > 20


async def test_a_key_made_while_its_slot_moves_is_made_where_it_will_be(
    pipeline: RedisPipeline, valkey_cluster: ValkeyCluster
) -> None:
    source, target, *_ = valkey_cluster.primaries
    partition = valkey_cluster.partition_at(source)
    old, new = ([f"{tag(partition)}:{word}:{number}" for number in range(4)] for word in ("old", "new"))
    for name in old:
        await pipeline.execute("SET", name, "x")
    half, go_on = threading.Event(), threading.Event()

    def stop() -> None:
        half.set()
        assert go_on.wait(10)

    moving = asyncio.create_task(asyncio.to_thread(valkey_cluster.move, partition, target, stop))
    assert await asyncio.to_thread(half.wait, 10)
    try:
        # Their first node has none of them, and shows them to the other, which takes them for the asking.
        for name in new:
            assert await pipeline.execute("SET", name, "y") == b"OK"
        there = target.ask("CLUSTER", "GETKEYSINSLOT", slot_of(tag(partition)), 100)
        assert {name.encode() for name in new} <= set(there)
        assert await asyncio.gather(*(pipeline.execute("GET", name) for name in old)) == [b"x"] * 4
        # What needs keys of both sides waits, but not for ever.
        script = pipeline.script("return redis.call('EXISTS', KEYS[1], KEYS[2])")
        [behind, *_] = source.ask("CLUSTER", "GETKEYSINSLOT", slot_of(tag(partition)), 1)
        begun = time.monotonic()
        with pytest.raises(RedisUnavailable):
            await pipeline.send_script(script, [new[0], behind], [])
        assert time.monotonic() - begun < 2 * BOUND + SLACK
        waiting = pipeline.send_script(script, [new[0], behind], [])
        await asyncio.sleep(0)
    finally:
        go_on.set()
        await moving
    assert await waiting == 2
    assert await asyncio.gather(*(pipeline.execute("GET", name) for name in new)) == [b"y"] * 4
    await asyncio.to_thread(valkey_cluster.move, partition, source)


async def test_a_replica_that_takes_over_is_found_while_the_others_go_on(
    pipeline: RedisPipeline, valkey_cluster: ValkeyCluster
) -> None:
    primary, replica = await asyncio.to_thread(valkey_cluster.pair)
    other = next(node for node in valkey_cluster.primaries if node is not primary)
    lost, kept = (f"{tag(valkey_cluster.partition_at(node))}:n" for node in (primary, other))
    await pipeline.execute("SET", lost, "before")
    assert await pipeline.send_by(lost, "WAIT", 1, 1000) == 1
    with primary.frozen():
        with pytest.raises(RedisUnavailable):
            await pipeline.execute("GET", lost)
        replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
        begun = time.monotonic()
        while True:
            assert await pipeline.execute("INCR", kept)
            try:
                assert await pipeline.execute("GET", lost) == b"before"
                break
            except RedisUnavailable:
                assert time.monotonic() - begun < 3
        await pipeline.execute("SET", lost, "after")
    # The old one is shown to be a replica now, and passes on what it is asked.
    await until(lambda: primary.follows(replica), "the old primary to follow")
    assert await pipeline.execute("GET", lost) == b"after"


async def test_a_slot_that_nobody_had_is_found_once_somebody_has_it(valkey_cluster: ValkeyCluster) -> None:
    wait(lambda: valkey_cluster.whole, "the cluster to be whole")
    partition = valkey_cluster.partition_at(valkey_cluster.primaries[0])
    owner, slot, name = valkey_cluster.owner(partition), slot_of(tag(partition)), f"{tag(partition)}:found"
    for node in valkey_cluster.primaries:
        # Another may have heard of it already.
        with suppress(ResponseError):
            node.ask("CLUSTER", "DELSLOTS", slot)
    try:
        async with RedisPipeline.opened(valkey_cluster.url, timeout=BOUND) as pipeline:
            with pytest.raises(RedisUnavailable):
                await pipeline.execute("GET", name)
            owner.ask("CLUSTER", "ADDSLOTS", slot)
            await until_served(pipeline, name)
    finally:
        wait(lambda: valkey_cluster.owner(partition) is owner, "the slot to have its owner")


async def test_an_error_of_a_node_is_no_outage(pipeline: RedisPipeline) -> None:
    await pipeline.execute("SET", "{p00}:n", "text")
    with pytest.raises(RedisReplyError, match="integer"):
        await pipeline.execute("INCR", "{p00}:n")
    with pytest.raises(RedisReplyError, match="CROSSSLOT"):
        await pipeline.execute("MGET", "{p00}:n", "{p01}:n")
