"""Keys in an answer give way to ours, and nothing else changes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.realtime.keys import Unreadable, replaced


def ours(key: str, expires_at: int) -> str:
    return f"ours-{key}-{expires_at}"


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4), st.integers(0, 4))
def test_every_other_byte_stays(others: dict[str, str], indent: int) -> None:
    answer = {
        **others,
        "value": "ek_1",
        "expires_at": 7,
        "session": {"client_secret": {"value": "ek_2", "expires_at": 8}},
    }
    body = json.dumps(answer, indent=indent or None).encode()
    changed = replaced(body, ours)
    assert changed == body.replace(b'"ek_1"', b'"ours-ek_1-7"').replace(b'"ek_2"', b'"ours-ek_2-8"')
    assert b'"ek_' not in changed


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"value": "ek_1"}', b'{"value": "ek_\\u0031", "expires_at": 1}', b"\xff"]
)
def test_an_answer_without_a_key_that_is_known_is_not_passed(body: bytes) -> None:
    with pytest.raises(Unreadable):
        replaced(body, ours)
