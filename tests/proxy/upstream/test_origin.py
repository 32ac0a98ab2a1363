import pytest

from proxy.upstream.origin import Origin


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("https://api.openai.com/v1", Origin("api.openai.com", 443, True, "/v1"), b"api.openai.com"),
        ("http://127.0.0.1:8080", Origin("127.0.0.1", 8080, False, ""), b"127.0.0.1:8080"),
        ("http://host/", Origin("host", 80, False, ""), b"host"),
        ("https://host:80/a/b/", Origin("host", 80, True, "/a/b"), b"host:80"),
        ("http://[::1]:81/v1", Origin("::1", 81, False, "/v1"), b"[::1]:81"),
        ("https://bücher.example", Origin("xn--bcher-kva.example", 443, True, ""), b"xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_what_its_url_says(url: str, origin: Origin, authority: bytes) -> None:
    assert Origin.parse(url) == origin
    assert origin.authority == authority


def test_a_path_is_taken_from_the_base_path_on() -> None:
    assert Origin.parse("https://host/openai/v1/").target(b"/models?a=b") == b"/openai/v1/models?a=b"


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com",
        "ftp://host",
        "https://",
        "https://u:p@host",
        "https://host?a=b",
        "https://host#a",
        "http://h:x",
    ],
)
def test_a_url_that_names_no_origin_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        Origin.parse(url)


def test_only_tls_origins_have_a_context_and_it_verifies() -> None:
    assert Origin.parse("http://host").tls_context() is None
    context = Origin.parse("https://host").tls_context()
    assert context is not None
    assert context.check_hostname
