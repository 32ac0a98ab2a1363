"""Of a document that broke off anywhere, what came is read; nothing is made up."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.cut_json import read_cut

ANSWER = {
    "id": "chatcmpl-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": 'Say "é€" \\ and\n\u2028 more'}}],
    "created": 1234567890,
}


def test_a_text_that_was_cut_is_as_long_as_it_came() -> None:
    body = json.dumps(ANSWER).encode()
    cut = body[: body.index(b"and")]
    assert read_cut(cut)["choices"][0]["message"]["content"] == 'Say "é€" \\ '


def test_at_every_cut_the_text_is_a_beginning_of_the_whole() -> None:
    for body in (json.dumps(ANSWER).encode(), json.dumps(ANSWER, ensure_ascii=False).encode()):
        lengths = []
        for end in range(1, len(body)):
            answer = read_cut(body[:end])
            choices = answer.get("choices") if isinstance(answer, dict) else None
            text = choices[0].get("message", {}).get("content", "") if choices else ""
            assert str(ANSWER["choices"][0]["message"]["content"]).startswith(text)  # type: ignore[index]
            lengths.append(len(text))
        assert lengths == sorted(lengths)
        assert read_cut(body) == ANSWER


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.integers(0, 200))
def test_any_document_cut_anywhere_is_read_without_harm(value: Any, end: int) -> None:
    read_cut(json.dumps(value).encode()[:end])


@given(st.binary(max_size=60))
def test_anything_else_is_read_without_harm(data: bytes) -> None:
    read_cut(data)
