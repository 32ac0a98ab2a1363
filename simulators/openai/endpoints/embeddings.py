"""POST /v1/embeddings: unit vectors that depend on the input, as floats or base64."""

import base64
import math
import sys
from array import array
from hashlib import shake_128
from typing import Any

from simulators.openai.answers import Answer, Call, Route, Usage, Whole, pretty
from simulators.openai.catalogue import base_model
from simulators.openai.completion import digest
from simulators.openai.errors import ApiError, invalid_type, invalid_value
from simulators.openai.fields import Fields, JsonObject

MAX_INPUTS = 2048
_DIMENSIONS = {"text-embedding-3-large": 3072, "text-embedding-3-small": 1536}
_OTHER_DIMENSIONS = 1536


def _answer(call: Call) -> Answer:
    fields = call.fields
    inputs = _inputs(fields)
    width = _width(fields, call.model)
    as_base64 = fields.one_of("encoding_format", ("float", "base64")) == "base64"
    count = call.vocabulary.count
    tokens = sum(count(item) if isinstance(item, str) else len(item) for item in inputs)
    body: JsonObject = {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _encoded(_vector(digest(call.seed, call.model, item), width), as_base64),
            }
            for index, item in enumerate(inputs)
        ],
        "model": call.model,
    }
    if not call.switches.no_usage:
        body["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Whole(pretty(body), Usage(prompt=tokens))


def _inputs(fields: Fields) -> list[Any]:
    """Texts and token lists; a single one counts as a list of one."""
    value = fields.require("input")
    if isinstance(value, str) or (isinstance(value, list) and value and _is_tokens(value)):
        value = [value]
    if not isinstance(value, list):
        raise invalid_type("input", "a string or an array", value)
    if not value or not all((isinstance(item, str) or _is_tokens(item)) and item for item in value):
        raise ApiError(400, "'$.input' is invalid. Please check the API reference.", param="input")
    if len(value) > MAX_INPUTS:
        raise invalid_value("input", f"array too long. Expected at most {MAX_INPUTS} items.")
    return value


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _width(fields: Fields, model: str) -> int:
    most = _DIMENSIONS.get(base_model(model), _OTHER_DIMENSIONS)
    wished = fields.integer("dimensions", 1, most)
    if wished is not None and model == "text-embedding-ada-002":
        raise ApiError(400, "This model does not support specifying dimensions.", param="dimensions")
    return wished or most


def _vector(seed: bytes, width: int) -> "array[float]":
    whole = array("h", shake_128(seed).digest(2 * width))
    length = math.sqrt(sum([number * number for number in whole])) or 1.0
    return array("f", [number / length for number in whole])


def _encoded(vector: "array[float]", as_base64: bool) -> str | list[float]:
    if not as_base64:
        return vector.tolist()
    if sys.byteorder == "big":
        vector.byteswap()
    return base64.b64encode(vector.tobytes()).decode()


ROUTES = (Route("POST", "/v1/embeddings", _answer),)
