from proxy.upstream.headers import request_headers, response_headers

KEY = [(b"authorization", b"Bearer sk-upstream")]


def test_the_callers_credentials_cookies_and_whereabouts_stay_here() -> None:
    raw = [
        (b"host", b"proxy"),
        (b"authorization", b"Bearer sk-tk-caller"),
        (b"cookie", b"session=1"),
        (b"api-key", b"k"),
        (b"x-api-key", b"k"),
        (b"openai-organization", b"org-caller"),
        (b"openai-project", b"proj-caller"),
        (b"idempotency-key", b"order-1"),
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"x-forwarded-proto", b"https"),
        (b"x-real-ip", b"10.0.0.1"),
        (b"forwarded", b"for=10.0.0.1"),
        (b"via", b"1.1 traefik"),
        (b"x-tollkeeper-label", b"search"),
        (b"content-length", b"2"),
    ]
    assert request_headers(raw, KEY) == [(b"accept-encoding", b"identity"), *KEY]


def test_hop_by_hop_headers_stay_here_also_those_that_connection_names() -> None:
    raw = [
        (b"Connection", b"close, X-Private ,x-other"),
        (b"connection", b"x-third"),
        (b"X-Private", b"1"),
        (b"x-other", b"2"),
        (b"x-third", b"3"),
        (b"keep-alive", b"timeout=5"),
        (b"proxy-authorization", b"Basic x"),
        (b"proxy-connection", b"close"),
        (b"te", b"trailers"),
        (b"trailer", b"x"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"h2c"),
        (b"expect", b"100-continue"),
    ]
    assert request_headers(raw, []) == [(b"accept-encoding", b"identity")]


def test_what_we_do_not_know_passes_in_order_and_as_often_as_it_came() -> None:
    raw = [
        (b"content-type", b"application/json"),
        (b"User-Agent", b"OpenAI/Python"),
        (b"x-stainless-lang", b"python"),
        (b"openai-beta", b"assistants=v2"),
        (b"x-new", b"1"),
        (b"x-new", b"2"),
    ]
    passed = request_headers(raw, KEY)
    assert passed == [
        *((name.lower(), value) for name, value in raw),
        (b"accept-encoding", b"identity"),
        *KEY,
    ]


def test_the_body_is_asked_for_unencoded_whatever_the_client_takes() -> None:
    passed = request_headers([(b"Accept-Encoding", b"gzip, br")], [])
    assert passed == [(b"accept-encoding", b"identity")]


def test_credentials_replace_headers_of_their_name() -> None:
    passed = request_headers([(b"x-provider-key", b"caller")], [(b"X-Provider-Key", b"ours")])
    assert passed == [(b"accept-encoding", b"identity"), (b"X-Provider-Key", b"ours")]


def test_the_upstreams_limits_cookies_and_connection_stay_behind() -> None:
    raw = [
        (b"Connection", b"keep-alive, x-hop"),
        (b"x-hop", b"1"),
        (b"keep-alive", b"timeout=5"),
        (b"transfer-encoding", b"chunked"),
        (b"set-cookie", b"__cf_bm=1"),
        (b"x-ratelimit-limit-requests", b"5000"),
        (b"x-ratelimit-remaining-tokens", b"1"),
        (b"x-tollkeeper-quota-remaining", b"1"),
        (b"alt-svc", b'h3=":443"'),
    ]
    assert response_headers(raw) == []


def test_everything_else_passes_back_and_the_upstreams_request_id_under_its_own_name() -> None:
    raw = [
        (b"Content-Type", b"text/event-stream"),
        (b"Content-Length", b"5"),
        (b"X-Request-Id", b"req_up"),
        (b"openai-processing-ms", b"12"),
        (b"openai-version", b"2020-10-01"),
        (b"server", b"cloudflare"),
        (b"retry-after", b"2"),
    ]
    assert response_headers(raw) == [
        (b"content-type", b"text/event-stream"),
        (b"content-length", b"5"),
        (b"x-upstream-request-id", b"req_up"),
        (b"openai-processing-ms", b"12"),
        (b"openai-version", b"2020-10-01"),
        (b"server", b"cloudflare"),
        (b"retry-after", b"2"),
    ]
