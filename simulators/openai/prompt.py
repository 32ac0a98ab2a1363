"""How many tokens a prompt has: the simulated provider's own formula, and the truth in its books.

Per message 3 + n(role) + n(content), 3 more to begin the answer, tools and schemas as their JSON text.
"""

from typing import Any

import orjson

from simulators.openai.errors import invalid_type
from simulators.openai.fields import Fields, JsonObject
from simulators.openai.vocabulary import Vocabulary

PER_MESSAGE = 3
PRIMING = 3
IMAGE, IMAGE_LOW_DETAIL = 765, 85
OTHER_PART = 256  # a file or a piece of audio

_TEXT_PARTS = ("text", "input_text", "output_text", "refusal")
_IMAGE_PARTS = ("image_url", "input_image")


def chat_tokens(vocabulary: Vocabulary, fields: Fields) -> int:
    total = PRIMING
    for index, message in enumerate(fields.objects("messages")):
        param = f"messages[{index}]"
        total += _message(vocabulary, message, param)
        if message.get("tool_calls"):
            total += _json(vocabulary, message["tool_calls"])
    return total + _extras(vocabulary, fields, "tools", "functions", "response_format")


def responses_tokens(vocabulary: Vocabulary, fields: Fields) -> int:
    total = PRIMING
    if instructions := fields.text("instructions"):
        total += PER_MESSAGE + vocabulary.count("system") + vocabulary.count(instructions)
    entries = fields.get("input")
    if isinstance(entries, str):
        total += PER_MESSAGE + vocabulary.count("user") + vocabulary.count(entries)
    elif entries is not None:
        for index, item in enumerate(fields.objects("input")):
            if "role" in item:
                total += _message(vocabulary, item, f"input[{index}]")
            elif item.get("type") != "reasoning":
                total += PER_MESSAGE + _json(vocabulary, item)
    return total + _extras(vocabulary, fields, "tools", "text")


def _message(vocabulary: Vocabulary, message: JsonObject, param: str) -> int:
    role = message.get("role")
    if not isinstance(role, str):
        raise invalid_type(f"{param}.role", "a string", role)
    content = _content(vocabulary, message.get("content"), f"{param}.content")
    return PER_MESSAGE + vocabulary.count(role) + content


def _content(vocabulary: Vocabulary, content: Any, param: str) -> int:
    if content is None:
        return 0
    if isinstance(content, str):
        return vocabulary.count(content)
    if not isinstance(content, list):
        raise invalid_type(param, "a string or an array of objects", content)
    return sum(_part(vocabulary, part, f"{param}[{index}]") for index, part in enumerate(content))


def _part(vocabulary: Vocabulary, part: Any, param: str) -> int:
    if not isinstance(part, dict):
        raise invalid_type(param, "an object", part)
    kind = part.get("type")
    if kind in _TEXT_PARTS:
        text = part.get("refusal" if kind == "refusal" else "text")
        if not isinstance(text, str):
            raise invalid_type(f"{param}.text", "a string", text)
        return vocabulary.count(text)
    if kind in _IMAGE_PARTS:
        image = part.get("image_url")
        detail = image.get("detail") if isinstance(image, dict) else part.get("detail")
        return IMAGE_LOW_DETAIL if detail == "low" else IMAGE
    return OTHER_PART


def _extras(vocabulary: Vocabulary, fields: Fields, *names: str) -> int:
    return sum(_json(vocabulary, fields.get(name)) for name in names if fields.get(name))


def _json(vocabulary: Vocabulary, value: Any) -> int:
    return vocabulary.count(orjson.dumps(value).decode())
