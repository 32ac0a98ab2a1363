"""/v1/images: generations, edits, variations. All pictures are one white pixel."""

import base64
from collections.abc import Iterator

import orjson

from simulators.openai.account import new_id
from simulators.openai.answers import Answer, Call, Event, Route, Stream, Usage, Whole, plain_failure, pretty
from simulators.openai.errors import missing
from simulators.openai.fields import JsonObject
from simulators.openai.prompt import IMAGE

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff3f0005"
        "fe02fea7355a810000000049454e44ae426082"
    )
).decode()
_TOKENS = {"low": 272, "medium": 1056, "high": 4160, "auto": 1056}  # of a square picture, by quality


def _generation(call: Call) -> Answer:
    call.fields.require("prompt")
    return _pictures(call, "image_generation", 0)


def _edit(call: Call) -> Answer:
    call.fields.require("prompt")
    given = len(call.form.files.get("image", ())) or len(call.fields.objects("images"))
    if not given:
        raise missing("image")
    return _pictures(call, "image_edit", given)


def _variation(call: Call) -> Answer:
    call.form.file("image")
    return _pictures(call, "image_variation", 1)


def _pictures(call: Call, kind: str, given: int) -> Answer:
    fields = call.fields
    number = fields.integer("n", 1, 10) or 1
    shown = {name: fields.text(name) or "auto" for name in ("background", "quality", "size")}
    if not call.model.startswith(("gpt-image", "sim-")):
        as_data = fields.one_of("response_format", ("url", "b64_json")) == "b64_json"
        data = [_picture(as_data) for _ in range(number)]
        return Whole(pretty({"created": call.created, "data": data}), Usage(images=number))
    text = call.vocabulary.count(fields.text("prompt") or "")
    each = _TOKENS.get(shown["quality"], _TOKENS["auto"])
    completion = number * each if call.switches.tokens is None else call.switches.tokens
    usage = Usage(text + IMAGE * given, completion, images=number)
    reported: JsonObject = {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"image_tokens": IMAGE * given, "text_tokens": text},
        "output_tokens": completion,
        "output_tokens_details": {"image_tokens": completion, "text_tokens": 0},
        "total_tokens": usage.total,
    }
    ending = {} if call.switches.no_usage else {"usage": reported}
    common = {**shown, "output_format": fields.text("output_format") or "png"}
    if fields.flag("stream"):
        partial = fields.integer("partial_images", 0, 3) or 0
        stamped = {"b64_json": PIXEL, "created_at": call.created, **common}
        return Stream(_events(kind, partial, stamped, ending), usage, plain_failure)
    pictures = [_picture(True) for _ in range(number)]
    return Whole(pretty({"created": call.created, **common, "data": pictures, **ending}), usage)


def _events(kind: str, partial: int, common: JsonObject, ending: JsonObject) -> Iterator[Event]:
    for index in range(partial):
        yield _event({"type": f"{kind}.partial_image", **common, "partial_image_index": index})
    yield _event({"type": f"{kind}.completed", **common, **ending})


def _event(value: JsonObject) -> Event:
    return Event(b"event: " + value["type"].encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n", 0)


def _picture(as_data: bool) -> JsonObject:
    if as_data:
        return {"b64_json": PIXEL}
    return {"url": f"https://images.invalid/{new_id('img-')}.png", "revised_prompt": None}


ROUTES = (
    Route("POST", "/v1/images/generations", _generation, default_model="dall-e-2"),
    Route("POST", "/v1/images/edits", _edit, default_model="dall-e-2"),
    Route("POST", "/v1/images/variations", _variation, default_model="dall-e-2"),
)
