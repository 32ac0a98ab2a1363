from __future__ import annotations

import pytest

from proxy.meter.part_head import MalformedFormError, read_head

NAMED = b"content-disposition: form-data; "


@pytest.mark.parametrize(
    ("head", "name", "is_file"),
    [
        (NAMED + b'name="model"', "model", False),
        (NAMED + b"name=model", "model", False),
        (b'X-Other: y\r\nContent-Disposition:form-data;name="a[b]"; ', "a[b]", False),
        (NAMED + b'name="file"; filename="a;name=model.wav"', "file", True),
        (NAMED + b'name="file"; filename="a \\"b\\".wav"\r\nContent-Type: audio/wav', "file", True),
        (NAMED + b'name="file"; filename="x"; filename*=UTF-8\'\'%e2%82%ac', "file", True),
        (NAMED + b'name="file"; filename=""', "file", True),
        (NAMED + 'name="größe"\r\nContent-Transfer-Encoding: binary'.encode(), "größe", False),
    ],
)
def test_a_name_is_read(head: bytes, name: str, is_file: bool) -> None:
    assert read_head(head) == (name, is_file)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Content-Type: text/plain",
        b"content-disposition: form-data",
        b'content-disposition: attachment; name="model"',
        NAMED + b'name="n"; name="model"',
        NAMED + b'name="n"\r\n' + NAMED + b'name="model"',
        NAMED + b"name*=UTF-8''model; name=n",
        NAMED + b'name="mode%6c"',
        NAMED + b'name="mo\\del"',
        NAMED + b'name="n\r\n name="model"',
        NAMED + b'name="n"\r\n continued: here',
        NAMED + b'name="n"\ncontent-disposition: form-data; name="model"',
        NAMED + b'name="n"\r\nContent-Transfer-Encoding: base64',
        NAMED + b'name="n" filename="x"',
        NAMED + b'name="\xff"',
        b"no header at all",
    ],
)
def test_what_others_might_read_otherwise_is_refused(head: bytes) -> None:
    with pytest.raises(MalformedFormError):
        read_head(head)
