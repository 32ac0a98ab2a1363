"""The members of a request body, checked as OpenAI checks them."""

from collections.abc import Iterable
from typing import Any

import orjson

from simulators.openai.errors import ApiError, invalid_type, invalid_value, missing, unreadable_body

JsonObject = dict[str, Any]


def read_object(body: bytes) -> JsonObject:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise unreadable_body() from error
    if not isinstance(value, dict):
        raise ApiError(400, "Invalid body: expected a JSON object.", code="invalid_type")
    return value


class Fields:
    """Access by type. Absent and null are the same; a wrong type is refused with the field's name."""

    def __init__(self, members: JsonObject) -> None:
        self.members = members

    def get(self, name: str) -> Any:
        return self.members.get(name)

    def text(self, name: str) -> str | None:
        value: str | None = self._typed(name, str, "a string")
        return value

    def flag(self, name: str) -> bool:
        return bool(self._typed(name, bool, "a boolean"))

    def object(self, name: str) -> JsonObject | None:
        value: JsonObject | None = self._typed(name, dict, "an object")
        return value

    def array(self, name: str) -> list[Any] | None:
        value: list[Any] | None = self._typed(name, list, "an array")
        return value

    def objects(self, name: str) -> list[JsonObject]:
        items = self.array(name) or []
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                raise invalid_type(f"{name}[{index}]", "an object", item)
        return items

    def integer(self, name: str, low: int, high: int | None = None) -> int | None:
        value = self.members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid_type(name, "an integer", value)
        _bounded(name, value, low, high, "integer")
        return value

    def number(self, name: str, low: float, high: float) -> float | None:
        value = self.members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise invalid_type(name, "a decimal", value)
        _bounded(name, value, low, high, "decimal")
        return value

    def stop(self) -> tuple[str, ...]:
        """`stop`: a string, or at most four of them."""
        value = self.members.get("stop")
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,) if value else ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise invalid_type("stop", "a string or an array of strings", value)
        if len(value) > 4:
            raise invalid_value(
                "stop",
                f"array too long. Expected an array with maximum length 4, but got an array with length "
                f"{len(value)} instead.",
                "array_above_max_length",
            )
        return tuple(filter(None, value))

    def one_of(self, name: str, allowed: Iterable[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in allowed:
            choices = ", ".join(f"'{item}'" for item in allowed)
            raise ApiError(
                400,
                f"Invalid value: '{value[:100]}'. Supported values are: {choices}.",
                param=name,
                code="invalid_value",
            )
        return value

    def wants_usage(self) -> bool:
        """`stream_options.include_usage`; the options are refused where nothing is streamed."""
        options = self.object("stream_options")
        if options is None:
            return False
        if not self.flag("stream"):
            raise ApiError(
                400,
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                param="stream_options",
            )
        return Fields(options).flag("include_usage")

    def wants_obfuscation(self) -> bool:
        options = self.object("stream_options") or {}
        return options.get("include_obfuscation") is not False

    def _typed(self, name: str, kind: type, expected: str) -> Any:
        value = self.members.get(name)
        if value is not None and not isinstance(value, kind):
            raise invalid_type(name, expected, value)
        return value

    def require(self, name: str) -> Any:
        if self.members.get(name) is None:
            raise missing(name)
        return self.members[name]


def _bounded(name: str, value: float, low: float, high: float | None, kind: str) -> None:
    if value < low:
        raise invalid_value(
            name,
            f"{kind} below minimum value. Expected a value >= {low}, but got {value} instead.",
            f"{kind}_below_min_value",
        )
    if high is not None and value > high:
        raise invalid_value(
            name,
            f"{kind} above maximum value. Expected a value <= {high}, but got {value} instead.",
            f"{kind}_above_max_value",
        )
