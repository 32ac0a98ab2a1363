"""What is read of a session's events, whatever they hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.realtime.events import NOTHING, News, Wish, error_event, news_of, wish_of

SESSION = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}


def written(kind: str, **members: Any) -> bytes:
    return json.dumps({"type": kind, **members}).encode()


@pytest.mark.parametrize(
    ("event", "wish"),
    [
        (written("response.create", event_id="e"), Wish("e", responds=True)),
        (written("session.update", session=SESSION), Wish(transcriber="whisper-1")),
        (
            written("transcription_session.update", session={"input_audio_transcription": {"model": "a"}}),
            Wish(transcriber="a"),
        ),
        (written("session.update", session={"model": "gpt-realtime"}), Wish(model="gpt-realtime")),
        (written("conversation.item.create", session=SESSION), Wish()),
        (written("input_audio_buffer.append", audio="AAAA", file_id="x"), NOTHING),
        (
            written("conversation.item.create", item={"content": [{"file_id": "a"}, {"file_ids": ["b", 3]}]}),
            Wish(references=frozenset({"a", "b"})),
        ),
        (
            written(
                "session.update",
                session={"tools": [{"vector_store_ids": ["v"], "parameters": {"file_id": 1}}]},
            ),
            Wish(references=frozenset({"v"})),
        ),
        (b'{"type": "response\\u002ecreate"}', Wish(responds=True)),
        (b'{"type":"x","type":"response.create"}', Wish(responds=True)),
        (b"no JSON", NOTHING),
        (b"[1]", NOTHING),
    ],
)
def test_a_clients_event_says_what_it_asks_for(event: bytes, wish: Wish) -> None:
    assert wish_of(event) == wish


@pytest.mark.parametrize(
    ("event", "news"),
    [
        (written("response.created", response={"id": "r"}), News("response.created", "r")),
        (
            written("response.done", response={"id": "r", "usage": {"input_tokens": 1, "output_tokens": 2}}),
            News("response.done", "r", reported=True),
        ),
        (written("response.done", response={"id": "r", "usage": {}}), News("response.done", "r")),
        (written("session.updated", session=SESSION), News("session", transcriber="whisper-1")),
        (written("error", error={}), News("error")),
        (written("response.output_text.delta", delta='{"type": "response.done"}'), None),
        (b'{"type":"response.done","response":', None),
    ],
)
def test_a_servers_event_tells_what_matters(event: bytes, news: News | None) -> None:
    assert news_of(event) == news


_odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.dictionaries(
            st.sampled_from(
                ["type", "response", "session", "id", "usage", "file_id", "event_id", "audio", "input"]
            ),
            inner,
            max_size=4,
        )
        | st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    _odd,
    st.sampled_from(["response.create", "session.update", "response.done", "session.updated", "error", "x"]),
    st.integers(0, 200),
)
def test_nothing_that_comes_raises(event: Any, kind: str, cut: int) -> None:
    made = json.dumps({**event, "type": kind} if isinstance(event, dict) else event).encode()
    for each in (made, made[:cut]):
        wish_of(each)
        news_of(each)


def test_a_refusal_comes_in_the_form_of_the_sessions_errors() -> None:
    event = json.loads(error_event(Refusal(402, "No.", type="insufficient_quota", code="c", param="p"), "e"))
    assert event["type"] == "error"
    assert event["event_id"]
    assert event["error"] == {
        "type": "insufficient_quota",
        "code": "c",
        "message": "No.",
        "param": "p",
        "event_id": "e",
    }
