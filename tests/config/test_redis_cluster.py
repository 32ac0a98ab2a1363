"""The address of a cluster."""

import pytest
from pydantic import SecretStr

from config.redis_cluster import ClusterAddress, Endpoint, cluster_address
from config.settings import SettingsError, load_settings
from config.urls import check_redis_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis+cluster://a:7000", ClusterAddress((Endpoint("a", 7000),), tls=False)),
        ("redis+cluster://a,b:7001/", ClusterAddress((Endpoint("a", 6379), Endpoint("b", 7001)), tls=False)),
        ("rediss+cluster://[::2]:7000,[::1]", ClusterAddress((Endpoint("::2", 7000), Endpoint("::1", 6379)), tls=True)),
        ("redis+cluster://tk:p%40s%2Fs@a:7000", ClusterAddress((Endpoint("a", 7000),), False, "tk", "p@s/s")),
        ("redis+cluster://:secret@a:7000", ClusterAddress((Endpoint("a", 7000),), False, None, "secret")),
    ],
)  # fmt: skip
def test_a_cluster_is_named_by_some_of_its_nodes(url: str, address: ClusterAddress) -> None:
    assert cluster_address(url) == address
    assert check_redis_url(SecretStr(url)).get_secret_value() == url


@pytest.mark.parametrize("url", ["redis://a:7000/0", "rediss://a", "unix:///a,b?db=1", "redis://:a,b@host"])
def test_a_single_server_is_none(url: str) -> None:
    assert cluster_address(url) is None
    assert check_redis_url(SecretStr(url)).get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("redis+cluster://", "must list its hosts"),
        ("redis+cluster://a:7000,", "must list its hosts"),
        ("redis+cluster://secret@:7000", "must list its hosts"),
        ("redis+cluster://a:secret", "must list its hosts"),
        ("redis+cluster://a:70000", "must list its hosts"),
        ("redis+cluster://a:7000/1", "no numbered databases"),
        ("redis+cluster://a:7000?ssl=secret", "query"),
        ("redis://a:7000,b:7001", "those of a cluster follow redis\\+cluster://"),
        ("cluster://secret:7000", "redis\\+cluster://"),
    ],
)
def test_another_address_is_refused_in_one_line_that_repeats_nothing_of_it(url: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=f"^REDIS_URL: .*{complaint}") as caught:
        load_settings({"REDIS_URL": url})
    assert "secret" not in str(caught.value)


def test_a_printed_address_shows_no_password() -> None:
    assert "secret" not in repr(cluster_address("redis+cluster://:secret@a"))
