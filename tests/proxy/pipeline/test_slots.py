"""Where a key lies, and what nodes say about it."""

import pytest

from config.redis_cluster import Endpoint
from ledger.partitions import PARTITIONS, tag
from proxy.pipeline.replies import RedisReplyError
from proxy.pipeline.slots import Range, ranges, redirection, slot_of
from tests.valkey_cluster import ValkeyCluster


@pytest.mark.parametrize(
    "key", ["", "a", "{p07}:usage", "a{b}c", "{}a", "a{}{b}", "{a", "a}{b}", "{a}{b}", "é", "{{a}}"]
)
def test_a_key_has_the_slot_that_the_server_gives_it(valkey_cluster: ValkeyCluster, key: str) -> None:
    assert slot_of(key) == slot_of(key.encode()) == valkey_cluster.nodes[0].ask("CLUSTER", "KEYSLOT", key)


def test_no_two_partitions_share_a_slot() -> None:
    assert len({slot_of(tag(partition)) for partition in range(PARTITIONS)}) == PARTITIONS


def test_a_node_that_does_not_know_its_own_name_is_the_one_that_was_asked() -> None:
    reply = [
        [0, 9, [b"10.0.0.1", 7000, b"id", []], [b"10.0.0.2", 7001, b"id"]],
        [10, 10, [None, 7002, b"id"]],
        [11, 12, [b"", 7003, b"id"]],
        [13, 14, [b"?", 7004, b"id"]],
    ]
    assert ranges(reply, "asked") == [
        Range(0, 9, Endpoint("10.0.0.1", 7000), (Endpoint("10.0.0.2", 7001),)),
        Range(10, 10, Endpoint("asked", 7002)),
        Range(11, 12, Endpoint("asked", 7003)),
    ]


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("MOVED 3999 10.0.0.1:6381", (3999, Endpoint("10.0.0.1", 6381))),
        ("ASK 0 node.example:7000", (0, Endpoint("node.example", 7000))),
        ("MOVED 1 fd00::1:7000", (1, Endpoint("fd00::1", 7000))),
        ("MOVED 1 :7000", (1, Endpoint("asked", 7000))),
        ("MOVED 1 ?:7000", None),
    ],
)
def test_a_redirection_names_slot_and_node(message: str, shown: tuple[int, Endpoint] | None) -> None:
    assert redirection(RedisReplyError(message), "asked") == shown
