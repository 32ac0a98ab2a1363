from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.request import ask_for_usage


def _ask(body: str) -> tuple[str, bool]:
    asked = ask_for_usage(body.encode(), json.loads(body))
    return asked.body.decode(), asked.by_client


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ('{"stream":true}', '{"stream":true,"stream_options":{"include_usage":true}}'),
        ('{"stream": true\n}\n', '{"stream": true,"stream_options":{"include_usage":true}\n}\n'),
        ('{"stream_options":null,"stream":true}', '{"stream_options":{"include_usage":true},"stream":true}'),
        ('{"stream_options":{},"stream":true}', '{"stream_options":{"include_usage":true},"stream":true}'),
        (
            '{"stream":true,"stream_options":{"include_usage":false,"include_obfuscation":false}}',
            '{"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}',
        ),
        (
            '{"stream":true,"stream_options":{"include_obfuscation":false}}',
            '{"stream":true,"stream_options":{"include_obfuscation":false,"include_usage":true}}',
        ),
        (
            '{"stream_options":{"include_usage":null},"stream":true,"stream_options":{}}',
            '{"stream_options":{"include_usage":true},"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (
            '{"stream":true,"stream\\u005foptions":{}}',
            '{"stream":true,"stream\\u005foptions":{"include_usage":true}}',
        ),
        (
            '{"seed":123456789012345678901234567890,"a":1.10,"a":2,"stream":true}',
            '{"seed":123456789012345678901234567890,"a":1.10,"a":2,"stream":true,"stream_options":{"include_usage":true}}',
        ),
    ],
)
def test_the_wish_is_put_in_and_the_rest_stays(body: str, sent: str) -> None:
    assert _ask(body) == (sent, False)


@pytest.mark.parametrize(
    ("body", "by_client"),
    [
        ('{"stream":false}', False),
        ('{"model":"x"}', False),
        ('{"stream":true,"stream_options":{"include_usage":true}}', True),
        ('{"stream":true,"stream_options":{"include_usage":"yes"}}', True),
        ('{"stream":true,"stream_options":7}', False),
        ('{"stream":"true"}', False),
    ],
)
def test_other_bodies_stay_as_they_are(body: str, by_client: bool) -> None:
    assert _ask(body) == (body, by_client)


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers() | st.none(), max_size=4),
    st.sampled_from(["absent", None, {}, {"include_usage": False}, {"a": [1, {"include_usage": False}]}]),
    st.sampled_from([None, 1]),
)
def test_the_upstream_reads_the_wish_and_all_the_rest(
    rest: dict[str, Any], options: Any, indent: int | None
) -> None:
    request = {**rest, "stream": True, **({} if options == "absent" else {"stream_options": options})}
    body = json.dumps(request, indent=indent)
    sent, by_client = _ask(body)
    read = json.loads(sent)
    assert not by_client
    assert read.pop("stream_options") == {
        **(options if isinstance(options, dict) else {}),
        "include_usage": True,
    }
    request.pop("stream_options", None)
    assert read == request


def test_recorded_requests_are_asked_once(corpus: list[dict[str, Any]]) -> None:
    asked = 0
    for row in corpus:
        if not row["stream"] or "chat/completions" not in row["endpoint"]:
            continue
        body = row["request_body"].encode()
        sent = ask_for_usage(body, json.loads(body))
        assert sent.by_client == bool(row["include_usage_requested"]), row["id"]
        assert json.loads(sent.body)["stream_options"]["include_usage"] is True
        grown = len(sent.body) - len(body)
        assert grown in (0, -1, len(',"stream_options":{"include_usage":true}')), row["id"]
        asked += not sent.by_client
    assert asked > 5
