"""The head of one part of a form: what the part is called, and whether it is a file.

RFC 7578, read narrowly: where two readers could disagree about a name, the form is refused. What we take for a harmless
field must be no model, and no reference to an object, to whoever reads the form after us.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

LONGEST_HEAD: Final = 8 * 1024
_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")
_DISPOSITION: Final = re.compile(
    rb'form-data((?:[ \t]*;[ \t]*[!#$&+.^_`|~0-9A-Za-z*-]+=(?:"(?:[^"\\]|\\.)*"|[^\s;"\\]*))*)[ \t]*;?[ \t]*',
    re.I,
)
_PARAMETER: Final = re.compile(rb';[ \t]*([^=\s]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
_PLAIN_CODINGS: Final = frozenset({b"7bit", b"8bit", b"binary"})


class MalformedFormError(ValueError):
    """The body is not the form that its content type promises."""


class PartHead(NamedTuple):
    name: str
    is_file: bool


def read_head(head: bytes) -> PartHead:
    """`head` without the blank line that ends it. Raises MalformedFormError."""
    disposition: bytes | None = None
    for line in head.split(b"\r\n"):
        found = _LINE.fullmatch(line)
        if found is None:
            raise MalformedFormError("a part of the form has a header that can't be read")
        name, value = found[1].lower(), found[2].strip()
        if name == b"content-disposition":
            if disposition is not None:
                raise MalformedFormError("a part of the form has two names")
            disposition = value
        elif name == b"content-transfer-encoding" and value.lower() not in _PLAIN_CODINGS:
            raise MalformedFormError("a part of the form is encoded, which forms no longer are")
    return _named(disposition or b"")


def _named(disposition: bytes) -> PartHead:
    whole = _DISPOSITION.fullmatch(disposition)
    if whole is None:
        raise MalformedFormError("a part of the form has no name that can be read")
    given: dict[bytes, bytes] = {}
    for found in _PARAMETER.finditer(whole[1]):
        name = found[1].lower()
        if name in given:
            raise MalformedFormError("a part of the form has two names")
        given[name] = found[2] if found[2] is not None else found[3]
    called = given.get(b"name")
    if called is None or b"name*" in given:
        raise MalformedFormError("a part of the form has no name")
    if b"\\" in called or b"%" in called:
        raise MalformedFormError("the name of a part of the form is escaped")
    try:
        return PartHead(called.decode("utf-8"), b"filename" in given or b"filename*" in given)
    except UnicodeDecodeError:
        raise MalformedFormError("the name of a part of the form is not UTF-8") from None
