"""What an answer brings: whose it is follows from it, so nothing may be missed and nothing taken for another's."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.endpoints.catalogue import CATALOGUE
from proxy.endpoints.endpoint import Endpoint
from proxy.ownership.finds import Finds


def named(name: str) -> Endpoint:
    [endpoint] = [each for each in CATALOGUE if each.name == name]
    return endpoint


def kinds(name: str, answer: Any) -> dict[str, str]:
    finds = Finds(named(name))
    finds.in_body(answer)
    return dict(finds.objects)


RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "output": [
        {"type": "message", "id": "msg_1", "content": [{"text": "x"}]},
        {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"},
    ],
    "previous_response_id": "resp_0",
}


def test_a_response_brings_itself_its_items_and_containers() -> None:
    found = kinds("responses", RESPONSE)
    assert found == {"resp_1": "response", "msg_1": "part", "ci_1": "part", "cntr_1": "part"}


def test_a_chat_brings_its_sound_whole_or_streamed() -> None:
    sound = {"id": "audio_1", "transcript": ""}
    whole = {"id": "chatcmpl-1", "choices": [{"message": {"audio": sound}}]}
    expected = {"chatcmpl-1": "completion", "audio_1": "part"}
    assert kinds("chat.completions", whole) == expected
    finds = Finds(named("chat.completions"))
    deltas: list[dict[str, Any]] = [{"role": "assistant"}, {"audio": sound}, {"audio": {"data": "AAAA"}}]
    for delta in deltas:
        chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"delta": delta}]}
        finds.in_stream(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")
    assert dict(finds.objects) == expected


def test_what_a_request_names_is_not_brought_by_its_answer() -> None:
    request = {"items": [{"type": "message", "id": "msg_\u0031", "content": "x"}]}
    finds = Finds(named("conversations.items.create"), request)
    assert finds.in_body({"data": [{"id": "msg_1"}, {"id": "msg_2"}]}) == ["msg_2"]
    assert finds.objects == (("msg_2", "part"),)


def test_an_answer_of_the_background_brings_its_items_and_containers_when_it_is_looked_at() -> None:
    assert kinds("responses.retrieve", RESPONSE) == {"msg_1": "part", "ci_1": "part", "cntr_1": "part"}


def test_events_bring_the_same_as_the_whole() -> None:
    finds = Finds(named("responses"))
    events = [
        {"type": "response.created", "response": RESPONSE | {"output": []}},
        {"type": "response.output_item.done", "item": RESPONSE["output"][1]},
        {"type": "response.output_item.done", "item": RESPONSE["output"][0]},
    ]
    stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
    fresh = [each for at in range(len(stream)) for each in finds.in_stream(stream[at : at + 1])]
    assert fresh == ["resp_1", "ci_1", "cntr_1", "msg_1"]
    assert finds.first == "resp_1"
    assert dict(finds.objects) == kinds("responses", RESPONSE)


def test_a_run_of_a_new_thread_is_the_call_and_the_thread_is_the_callers() -> None:
    finds = Finds(named("threads.runs.create_with_thread"))
    stream = (
        b'event: thread.created\ndata: {"id":"thread_1","object":"thread","metadata":{}}\n\n'
        b'event: thread.run.created\ndata: {"id":"run_1","object":"thread.run","thread_id":"thread_1"}\n\n'
    )
    assert finds.in_stream(stream) == ["thread_1", "run_1"]
    assert finds.first == "run_1"
    assert dict(finds.objects) == {"thread_1": "thread", "run_1": "run"}


def test_a_batch_brings_the_files_it_wrote() -> None:
    batch = {"id": "batch_1", "input_file_id": "file-in", "output_file_id": "file-out", "error_file_id": None}
    assert kinds("batches.retrieve", batch) == {"file-out": "file"}


def test_a_list_brings_what_each_of_its_elements_does() -> None:
    jobs = {
        "data": [
            {"id": "ftjob-1", "fine_tuned_model": "ft:gpt-4o:x::1"},
            {"id": "ftjob-2", "fine_tuned_model": None},
        ]
    }
    assert kinds("fine_tuning.jobs", jobs) == {"ft:gpt-4o:x::1": "model"}


def test_the_callers_own_words_bring_nothing() -> None:
    batch = {"id": "batch_1", "metadata": {"output_file_id": "file-of-another", "id": "batch_2"}}
    assert kinds("batches", batch) == {"batch_1": "batch"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "data", "output", "thread_id", "file", "choices", "object", "item", "response"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(st.sampled_from(CATALOGUE), JSON)
def test_odd_answers_are_read_without_harm(endpoint: Endpoint, answer: Any) -> None:
    finds = Finds(endpoint)
    finds.in_body(answer)
    finds.in_stream(b"event: thread.created\ndata: " + json.dumps(answer).encode() + b"\n\n")
    assert all(isinstance(each, str) and kind for each, kind in finds.objects)
