"""Which characters of a name or a description a document can hold. Pure."""

import re

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BLANKS = re.compile(r"\s+")


def as_written(text: str) -> str:
    """`text` on one line, without what XML 1.0 forbids, such as control characters."""
    return _BLANKS.sub(" ", _NOT_IN_XML.sub("", text)).strip()
