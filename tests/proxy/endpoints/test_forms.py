"""Forms as requests: typed, nested, and nothing in them that two readers could take for two things."""

from typing import Any

import pytest

from proxy.endpoints import asked
from proxy.endpoints.asked import Asked
from proxy.endpoints.catalogue import find
from proxy.errors import Refusal
from proxy.ownership.mentions import mentioned_in_form

TYPE = b"multipart/form-data; boundary=B"
EDITS, TRANSCRIPTIONS = "/v1/images/edits", "/v1/audio/transcriptions"


def form(*parts: tuple[str, str] | tuple[str, str, str]) -> bytes:
    """Fields of a name and a value, and files of a name, a value and a file's name."""
    body = ""
    for name, value, *file in parts:
        named = f'; filename="{file[0]}"' if file else ""
        body += f'--B\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n{value}\r\n'
    return f"{body}--B--\r\n".encode()


def read(path: str, body: bytes, content_type: bytes = TYPE) -> Asked:
    return asked.read(find("POST", path).endpoint, body, [(b"content-type", content_type)])


def test_texts_are_the_members_and_flags_and_counts_are_typed() -> None:
    got = read(
        EDITS,
        form(
            ("image[]", "x", "a.png"), ("model", "gpt-image-1"), ("n", "3"), ("stream", "True"), ("user", "7")
        ),
    )
    assert dict(got.request) == {"model": "gpt-image-1", "n": 3, "stream": True, "user": "7"}
    assert (got.model, got.stream) == ("gpt-image-1", True)
    assert got.form is not None
    assert [name for name, _ in got.form.files] == ["image[]"]


def test_names_in_brackets_nest() -> None:
    got = read(
        TRANSCRIPTIONS,
        form(
            ("model", "whisper-1"),
            ("include[]", "logprobs"),
            ("include[]", "more"),
            ("chunking_strategy[type]", "server_vad"),
            ("chunking_strategy[threshold]", "0.5"),
            ("images[0][file_id]", "file-1"),
        ),
    )
    assert got.request["include"] == ["logprobs", "more"]
    assert got.request["chunking_strategy"] == {"type": "server_vad", "threshold": "0.5"}
    assert got.request["images"] == [{"file_id": "file-1"}]
    assert mentioned_in_form(got.request) == {"file-1"}


def test_json_is_taken_where_a_form_is() -> None:
    got = read(EDITS, b'{"model":"gpt-image-1","prompt":"x","stream":true}', b"application/json")
    assert (got.model, got.stream, got.form) == ("gpt-image-1", True, None)


def test_no_model_is_openais_own_default_for_pictures_and_an_error_for_sound() -> None:
    assert read(EDITS, form(("prompt", "x"))).model == "dall-e-2"
    with pytest.raises(Refusal) as refused:
        read(TRANSCRIPTIONS, form(("prompt", "x")))
    assert (refused.value.status, refused.value.param) == (400, "model")


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([("model", "gpt-image-1-mini"), ("model", "gpt-image-1")], "model"),
        ([("model", "gpt-image-1"), ("model", "gpt-image-1", "x.txt")], "model"),
        ([("model", "gpt-image-1", "x.txt")], "model"),
        ([("model[]", "gpt-image-1")], "model"),
        ([("size", "1024x1024", "x.txt")], "size"),
        ([("n", "1"), ("n", "10")], "n"),
        ([("n", " 3")], "n"),
        ([("n", "1e1")], "n"),
        ([("n", "0")], "n"),
        ([("n", "٣")], "n"),
        ([("stream", "maybe")], "stream"),
        ([("a", "1"), ("a[b]", "2")], "a[b]"),
        ([("a[b]", "1"), ("a[b]", "2")], "a[b]"),
        ([("a]b", "1")], "a]b"),
        ([("a" + "[b]" * 9, "1")], "a" + "[b]" * 9),
    ],
)
def test_what_is_said_twice_or_unclearly_is_refused_by_its_name(parts: list[Any], param: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(EDITS, form(*parts))
    assert (refused.value.status, refused.value.param) == (400, param)


def test_a_form_that_is_none_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        read(EDITS, b'{"model":"gpt-image-1"}')
    assert (refused.value.status, refused.value.code) == (400, "invalid_form")


def test_two_content_types_are_refused() -> None:
    headers = [(b"content-type", TYPE), (b"content-type", b"multipart/form-data; boundary=C")]
    with pytest.raises(Refusal) as refused:
        asked.read(find("POST", EDITS).endpoint, form(("n", "1")), headers)
    assert refused.value.param == "content-type"
