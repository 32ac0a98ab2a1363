from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.form_scanner import boundary_of
from proxy.meter.multipart import Form, read_form
from proxy.meter.part_head import MalformedFormError

TYPE = b'multipart/form-data; boundary="a b"'


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    return f'--a b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"


def files(form: Form) -> list[tuple[str, bytes]]:
    return [(name, bytes(value)) for name, value in form.files]


def test_texts_and_files_are_told_apart() -> None:
    body = (
        part("model", b"whisper-1") + part("file", b"\x00\r\n--a", "a.wav") + part("n", b"") + b"--a b--\r\n"
    )
    form = read_form(TYPE, body)
    assert [(text.name, text.value) for text in form.texts] == [("model", "whisper-1"), ("n", "")]
    assert [body[text.start : text.end] for text in form.texts] == [b"whisper-1", b""]
    assert files(form) == [("file", b"\x00\r\n--a")]


def test_all_of_one_name_are_told() -> None:
    form = read_form(
        TYPE, part("a", b"1") + part("a", b"2") + part("f", b"3", "x") + part("f", b"4", "") + b"--a b--"
    )
    assert [text.value for text in form.texts] == ["1", "2"]
    assert files(form) == [("f", b"3"), ("f", b"4")]


def test_the_name_of_a_file_is_not_the_name_of_its_part() -> None:
    head = (
        b'--a b\r\nContent-Type: audio/wav\r\ncontent-disposition: form-data; filename="x"; name=file\r\n\r\n'
    )
    assert files(read_form(TYPE, head + b"1\r\n--a b--")) == [("file", b"1")]


@pytest.mark.parametrize(
    "content_type",
    [
        b"multipart/form-data; boundary=----WebKitFormBoundary7",
        b'Multipart/Form-Data;charset=utf-8; BOUNDARY="----WebKitFormBoundary7"',
        b"multipart/form-data; boundary=----WebKitFormBoundary7; charset=utf-8",
    ],
)
def test_the_boundary_is_found(content_type: bytes) -> None:
    assert boundary_of(content_type) == b"----WebKitFormBoundary7"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (b"multipart/form-data", b""),
        (b"application/json; boundary=x", b""),
        (b'multipart/form-data; boundary=a; boundary="a b"', b"--a b--"),
        (b"multipart/form-data; boundary=a\\b", b"--a\\b--"),
        (b'multipart/form-data; boundary="a "', b"--a --"),
        (b"multipart/form-data; boundary=a; boundary*=utf-8''b", b"--a--"),
        (b"multipart/form-data; boundary*0=b; boundary=a", b"--a--"),
        (b"multipart/form-data; boundary=a; boundary =b", b"--a--"),
        (TYPE, b""),
        (TYPE, b"--a b"),
        (TYPE, part("model", b"a")),
        (TYPE, b"--a b\r\nX: y\r\n--a b--"),
        (TYPE, b"--a b\r\nContent-Disposition: form-data\r\n\r\nv\r\n--a b--"),
        (TYPE, part("x", b"y" * (1024 * 1024 + 1)) + b"--a b--"),
        (TYPE, part("x", b"y") * 1001 + b"--a b--"),
        (TYPE, b"hello\r\n" + part("model", b"a") + b"--a b--"),
        (TYPE, part("model", b"a") + b"--a b--\r\n" + part("model", b"b") + b"--a b--"),
        (TYPE, part("model", b"a\r\n--a bc\r\n") + b"--a b--"),
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
