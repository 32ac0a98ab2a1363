"""A form as the request that its fields make up. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from proxy.errors import Refusal
from proxy.meter.multipart import Form, read_form
from proxy.meter.part_head import MalformedFormError

_NESTED: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_STEP: Final = re.compile(r"[^\[\]]+")
_DEEPEST: Final = 4
_FLAGS: Final[Mapping[str, bool]] = {"true": True, "1": True, "false": False, "0": False, "": False}
_COUNTS: Final = ("n", "seconds", "partial_images", "frame_count")
_NEVER_FILES: Final = frozenset(
    {
        *(
            "model",
            "stream",
            "prompt",
            "response_format",
            "output_format",
            "size",
            "quality",
            "input_fidelity",
        ),
        *_COUNTS,
    }
)
"""What a price depends on must be there to be read by everybody in the same way."""


def content_type_of(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Raises Refusal 400 where there are two: who reads the body later might go by the other one."""
    given = [value for name, value in headers if name == b"content-type"]
    if len(given) > 1:
        raise Refusal(400, "The request has more than one Content-Type.", param="content-type")
    return given[0] if given else b""


def read(content_type: bytes, body: bytes) -> tuple[Form, dict[str, Any]]:
    """The form, and its texts as the members of a request, flags and counts typed. Raises Refusal 400 that names what
    can't be understood."""
    try:
        form = read_form(content_type, body)
    except MalformedFormError as error:
        raise no_form(error) from None
    request = request_of((text.name, text.value) for text in form.texts)
    for name, _ in form.files:
        check_file(name)
        if name in request:
            raise _twice(name)
    if "stream" in request:
        flag = request["stream"]
        if not isinstance(flag, str) or flag.lower() not in _FLAGS:
            raise _wrong("stream", "true or false")
        request["stream"] = _FLAGS[flag.lower()]
    for name in _COUNTS:
        if name in request:
            request[name] = _count(name, request[name])
    return form, request


def request_of(texts: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """`a` is a text, `a[]` a list, `a[b]` an object. Raises Refusal 400."""
    request: dict[str, Any] = {}
    for name, value in texts:
        _put(request, name, value)
    return request


def check_file(name: str) -> None:
    """Raises Refusal 400 where a file stands for what must be a text to everybody."""
    steps = _STEP.findall(name.lower())
    if steps and (steps[0] in _NEVER_FILES or steps[-1] == "id" or steps[-1].endswith(("_id", "_ids"))):
        raise _wrong(name, "a text, no file")


def no_form(error: MalformedFormError) -> Refusal:
    return Refusal(400, f"Could not parse the multipart form: {error}.", code="invalid_form")


def _put(request: dict[str, Any], name: str, value: str) -> None:
    named = _NESTED.fullmatch(name)
    if named is None:
        raise _wrong(name, "a field's name")
    first, rest = named[1], named[2][1:-1].split("][") if named[2] else []
    if len(rest) > _DEEPEST:
        raise _wrong(name, f"a field nested no deeper than {_DEEPEST}")
    place: Any = request
    steps = [first, *rest]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        last = following is None
        if isinstance(place, list):
            place.append(value if last else _empty(following))
            place = place[-1]
        elif not last:
            place = place.setdefault(step, _empty(following))
            if type(place) is not type(_empty(following)):
                raise _twice(name)
        elif step in place:
            raise _twice(name)
        else:
            place[step] = value


def _empty(following: str | None) -> Any:
    return [] if following == "" or (following or "").isdecimal() else {}


def _count(name: str, value: Any) -> int:
    if not isinstance(value, str) or not value.isascii() or not value.isdecimal() or len(value) > 9:
        raise _wrong(name, "a whole number")
    return int(value)


def _twice(name: str) -> Refusal:
    return Refusal(400, f"The field '{name[:100]}' stands in the form more than once.", param=name[:100])


def _wrong(name: str, expected: str) -> Refusal:
    return Refusal(
        400, f"Invalid type for '{name[:100]}': expected {expected}.", code="invalid_type", param=name[:100]
    )
