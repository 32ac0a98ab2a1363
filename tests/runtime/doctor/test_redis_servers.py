"""What the doctor says of Redis."""

import pytest

from config.settings import load_settings
from runtime.doctor import redis_servers
from runtime.doctor.finding import Finding, State
from runtime.doctor.redis_servers import redis
from tests.valkey_cluster import ClusterNode, ValkeyCluster, wait


async def found(url: str) -> list[Finding]:
    return await redis(load_settings({"REDIS_URL": url}))


def of(findings: list[Finding], state: State) -> list[tuple[str, str]]:
    return [(each.subject, each.detail) for each in findings if each.state is state]


async def test_an_embedded_server_is_good(valkey_url: str) -> None:
    findings = await found(valkey_url)
    assert [each.state for each in findings] == [State.GOOD]
    assert findings[0].detail.startswith("Valkey ")


async def test_without_a_server_it_says_so() -> None:
    [finding] = await found("redis://127.0.0.1:1")
    assert finding.state is State.BAD
    [finding] = await found("redis+cluster://127.0.0.1:1,127.0.0.1:2")
    assert finding.state is State.BAD


@pytest.fixture
def cluster(valkey_cluster: ValkeyCluster) -> ValkeyCluster:
    wait(lambda: valkey_cluster.whole, "the cluster to be whole")
    return valkey_cluster


def name(node: ClusterNode) -> str:
    return f"Redis 127.0.0.1:{node.port}"


async def test_every_node_of_a_cluster_is_looked_at(cluster: ValkeyCluster) -> None:
    findings = await found(cluster.url)
    good = of(findings, State.GOOD)
    assert good[0][1].startswith(f"a cluster of {len(cluster.primaries)} primaries")
    assert {subject for subject, _ in good[1:]} == {name(node) for node in cluster.nodes}
    assert of(findings, State.BAD) == []
    assert {detail for _, detail in of(findings, State.ODD)} <= {"has no replica"}


async def test_what_is_wrong_with_one_node_is_named(cluster: ValkeyCluster) -> None:
    one, *_ = cluster.primaries
    wrong = {"appendonly": "no", "maxmemory-policy": "allkeys-lru", "cluster-require-full-coverage": "yes"}
    right = {key: str(one.client.config_get(key)[key]) for key in wrong}
    for key, value in wrong.items():
        one.client.config_set(key, value)
    try:
        findings = await found(cluster.url)
    finally:
        for key, value in right.items():
            one.client.config_set(key, value)
    assert of(findings, State.BAD) == [(name(one), "maxmemory-policy allkeys-lru")]
    assert {
        (name(one), "keeps no append-only file"),
        (name(one), "cluster-require-full-coverage yes"),
    } <= set(of(findings, State.ODD))


async def test_a_frozen_node_is_named_and_the_others_are_told_of(
    cluster: ValkeyCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_servers, "SECONDS", 0.3)
    one, *others = cluster.primaries
    with one.frozen():
        findings = await found(cluster.url)
    [(subject, detail)] = of(findings, State.BAD)
    assert subject == name(one)
    assert detail.startswith("primary of ")
    assert {name(node) for node in others} <= {subject for subject, _ in of(findings, State.GOOD)}


async def test_a_node_that_is_named_as_a_single_server_is_bad(cluster: ValkeyCluster) -> None:
    findings = await found(f"redis://127.0.0.1:{cluster.nodes[0].port}")
    assert of(findings, State.BAD) == [("Redis", "is a node of a cluster, named as a single server")]
