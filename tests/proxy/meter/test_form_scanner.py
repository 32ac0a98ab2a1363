from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.form_scanner import FormScanner, Part
from proxy.meter.part_head import MalformedFormError

TYPE = b"multipart/form-data; boundary=B0"


def part(name: str, value: bytes, *, is_file: bool = False) -> bytes:
    file = '; filename="x"' if is_file else ""
    return f'--B0\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"


def scanned(pieces: list[bytes], longest: int = 1000) -> list[Part]:
    scanner = FormScanner(TYPE, longest)
    found = [part for piece in pieces for part in scanner.feed(piece)]
    scanner.finish()
    return found


def cut(body: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(body) + 1) for place in places)
    return [body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True)]


FIELDS = st.lists(
    st.tuples(st.sampled_from(["a", "b[c]"]), st.binary(max_size=60), st.booleans()).filter(
        lambda field: b"--B0" not in field[1]
    ),
    max_size=5,
)


@given(FIELDS, st.lists(st.integers(0, 10_000), max_size=12), st.booleans())
def test_parts_are_found_however_the_body_is_cut(
    fields: list[tuple[str, bytes, bool]], places: list[int], ends_line: bool
) -> None:
    body = b"".join(part(name, value, is_file=is_file) for name, value, is_file in fields) + b"--B0--"
    body += b"\r\n" if ends_line else b""
    found = scanned(cut(body, places))
    assert found == scanned([body])
    assert [(each.name, body[each.start : each.end], each.is_file) for each in found] == fields
    for each, (_, value, is_file) in zip(found, fields, strict=True):
        assert each.value == ("" if is_file else value.decode("utf-8", "replace"))


@pytest.mark.parametrize(
    "body",
    [
        part("a", b"1")[:-2] + b"--B0--",
        part("a", b"12")[:-2] + b"--B0--",
        part("a", b"1\n")[:-2] + part("b", b"2") + b"--B0--",
        part("a", b"\n--B0\nname=b") + b"--B0--",
        part("a", b"", is_file=True).replace(b"\r\n\r\n", b"\r\n\r\n--B0\r\n", 1) + b"--B0--",
        part("a", b"1") + b"--B0 \r\n" + part("b", b"2")[6:] + b"--B0--",
        part("a", b"1") + b"--B0--x",
        part("a", b"1") + b"--B0--\r\n\r\n",
        b"\r\n" + part("a", b"1") + b"--B0--",
        b"--B0\r\n\r\nvalue\r\n--B0--",
        part("a", b"x" * 1001) + b"--B0--",
        b"--B0\r\nX: " + b"y" * 9000 + b"\r\n\r\nv\r\n--B0--",
        part("a", b"1"),
        b"",
    ],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_what_a_lenient_reader_would_read_otherwise_is_refused(body: bytes, step: int) -> None:
    with pytest.raises(MalformedFormError):
        scanned([body[at : at + step] for at in range(0, max(len(body), 1), step)])


def test_a_file_of_any_size_is_not_kept() -> None:
    scanner = FormScanner(TYPE, 10)
    assert list(scanner.feed(part("a", b"", is_file=True)[:-2])) == []
    for _ in range(100):
        assert list(scanner.feed(bytes(100_000))) == []
        assert len(scanner._buffer) - scanner._at < 100
    [found] = scanner.feed(b"\r\n--B0--")
    assert (found.end - found.start, found.value) == (10_000_000, "")
    scanner.finish()
