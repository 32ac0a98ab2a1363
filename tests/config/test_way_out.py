import base64

import pytest

from config.settings import SettingsError, load_settings
from config.way_out import WebProxy, proxy_for
from proxy.upstream.origin import Origin

BOTH = {"HTTPS_PROXY": "http://proxy.example:3128", "http_proxy": "plain.example"}


def chosen(url: str, **environ: str) -> WebProxy | None:
    return proxy_for(Origin.parse(url), load_settings(BOTH | environ).outbound)


def test_each_scheme_has_its_own_proxy() -> None:
    assert chosen("https://api.openai.com/v1") == WebProxy("proxy.example", 3128)
    assert chosen("http://vllm.example:8000/v1") == WebProxy("plain.example", 80)
    assert proxy_for(Origin.parse("https://a.example"), load_settings({}).outbound) is None


def test_small_letters_go_first() -> None:
    assert chosen("https://a.example", https_proxy="http://other.example:1") == WebProxy("other.example", 1)


def test_the_password_is_sent_and_never_shown() -> None:
    made = chosen("https://a.example", HTTPS_PROXY="http://me:p%40ss@proxy.example:1")
    assert made is not None
    assert made.authorization == b"Basic " + base64.b64encode(b"me:p@ss")
    assert "Basic" not in repr(made)
    assert "p%40ss" not in repr(load_settings({"HTTPS_PROXY": "http://me:p%40ss@proxy.example:1"}))


@pytest.mark.parametrize("url", ["https://localhost:1", "https://127.0.0.9:1", "https://[::1]:1"])
def test_this_machine_is_reached_straight(url: str) -> None:
    assert chosen(url) is None


@pytest.mark.parametrize(
    ("no_proxy", "url", "exempt"),
    [
        ("*", "https://a.example", True),
        ("a.example", "https://a.example", True),
        ("A.example", "https://b.a.EXAMPLE", True),
        (".a.example, other", "https://b.a.example", True),
        ("*.a.example", "https://b.a.example", True),
        ("a.example", "https://ba.example", False),
        ("a.example:444", "https://a.example", False),
        ("a.example:443", "https://a.example", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3:443", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("0.1.2.3", "https://10.1.2.3", False),
        ("[fd00::1]:443", "https://[fd00::1]", True),
        ("fd00::/8", "https://[fd00::1]", True),
        (",, .", "https://a.example", False),
    ],
)
def test_no_proxy_is_read_as_others_read_it(no_proxy: str, url: str, exempt: bool) -> None:
    assert (chosen(url, NO_PROXY=no_proxy) is None) is exempt


@pytest.mark.parametrize("value", ["socks5://hunter2@a", "https://hunter2@a:1", "http://", "http://a:port"])
def test_a_proxy_of_another_kind_stops_the_start(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"HTTPS_PROXY": value})
    assert str(caught.value).startswith("HTTPS_PROXY: ")
    assert "hunter2" not in str(caught.value)
