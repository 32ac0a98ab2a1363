"""POST /v1/moderations: free of charge, and nothing is ever flagged but what says `flag me`."""

from secrets import token_hex
from typing import Any

from simulators.openai.answers import Answer, Call, Route, Whole, pretty
from simulators.openai.fields import JsonObject

_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def _answer(call: Call) -> Answer:
    given = call.fields.require("input")
    # A list of strings is judged string by string, a list of parts as one.
    is_many = isinstance(given, list) and all(isinstance(item, str) for item in given)
    results = [_result(item) for item in (given if is_many else [given])]
    return Whole(pretty({"id": "modr-" + token_hex(12), "model": call.model, "results": results}))


def _result(item: Any) -> JsonObject:
    flagged = "flag me" in str(item)
    return {
        "flagged": flagged,
        "categories": {name: flagged and name == "violence" for name in _CATEGORIES},
        "category_scores": {name: 0.9 if flagged and name == "violence" else 0.00001 for name in _CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }


ROUTES = (Route("POST", "/v1/moderations", _answer, default_model="omni-moderation-latest"),)
