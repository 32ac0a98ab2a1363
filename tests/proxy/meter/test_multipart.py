from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.multipart import MalformedFormError, read_form

TYPE = b'multipart/form-data; boundary="a b"'


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    return f'--a b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"


def test_texts_and_files_are_told_apart() -> None:
    body = (
        part("model", b"whisper-1") + part("file", b"\x00\r\n--a", "a.wav") + part("n", b"2") + b"--a b--\r\n"
    )
    form = read_form(TYPE, body)
    assert form.texts == {"model": "whisper-1", "n": "2"}
    assert {name: bytes(value) for name, value in form.files.items()} == {"file": b"\x00\r\n--a"}


def test_a_preamble_is_skipped_and_the_last_text_of_a_name_counts() -> None:
    body = b"hello\r\n" + part("model", b"a") + part("model", b"b") + b"--a b--"
    assert read_form(TYPE, body).texts == {"model": "b"}


def test_the_name_of_a_file_is_not_the_name_of_its_part() -> None:
    head = (
        b'--a b\r\nContent-Type: audio/wav\r\ncontent-disposition: form-data; filename="x"; name=file\r\n\r\n'
    )
    assert list(read_form(TYPE, head + b"1\r\n--a b--").files) == ["file"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (b"multipart/form-data", b""),
        (b"application/json; boundary=x", b""),
        (TYPE, b""),
        (TYPE, b"--a b"),
        (TYPE, part("model", b"a")),
        (TYPE, b"--a b\r\nX: y\r\n--a b--"),
        (TYPE, b"--a b\r\nContent-Disposition: form-data\r\n\r\nv\r\n--a b--"),
        (TYPE, part("x", b"y" * (1024 * 1024 + 1)) + b"--a b--"),
        (TYPE, part("x", b"y") * 1001 + b"--a b--"),
    ],
)
def test_what_is_no_form_is_refused(content_type: bytes, body: bytes) -> None:
    with pytest.raises(MalformedFormError):
        read_form(content_type, body)


@given(
    st.lists(
        st.sampled_from(
            [b"--a b", b"\r\n", b"--", b"\r\n\r\n", b"name=", b'"', b"x", b"Content-Disposition:"]
        )
    )
)
def test_no_body_does_anything_else(pieces: list[bytes]) -> None:
    try:
        read_form(TYPE, b"".join(pieces))
    except MalformedFormError:
        return
