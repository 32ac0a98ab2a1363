"""What a run of an eval does: a model answers for each row, where one is asked to, and each criterion marks it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from simulators.openai.account import Account
from simulators.openai.answers import Call, Usage
from simulators.openai.completion import Wish, complete, digest
from simulators.openai.errors import ApiError, missing
from simulators.openai.fields import Fields, JsonObject, read_object
from simulators.openai.stored_chats import chats
from simulators.openai.stored_responses import responses
from simulators.openai.switches import known_model, read_switches
from simulators.openai.uploaded import files

GRADING_TOKENS = 5  # what a grader that is a model says
_MODEL_GRADERS = ("score_model", "label_model")
_PLACE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One answer of one model: the run's own, or a grader's."""

    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Marked:
    """One row: the item, what was asked and said, and a result per criterion."""

    item: JsonObject
    asked: list[JsonObject]
    said: str
    results: list[JsonObject]
    invocations: tuple[Invocation, ...]


def rows(account: Account, source: JsonObject) -> list[JsonObject]:
    """The items that a data source names: {"item": ..., "sample": ...} each."""
    fields = Fields(source)
    match fields.text("type"):
        case "file_content":
            return fields.objects("content")
        case "file_id":
            identifier = fields.text("id") or ""
            files(account).get(identifier)
            lines = bytes(account.contents[identifier]).splitlines()
            return [read_object(line) for line in lines if line.strip()]
        case "stored_completions":
            return [{"item": {"completion": chat["id"]}} for chat in chats(account).all()]
        case "responses":
            return [{"item": {"response": each["id"]}} for each in responses(account).all()]
    raise ApiError(400, "Unknown type of source.", param="data_source.source.type", code="invalid_value")


def judge(call: Call, data_source: JsonObject, criteria: Iterable[JsonObject]) -> Iterator[Marked]:
    """Each row of the source. Raises ApiError for a source or a model that is not there."""
    fields, criteria = Fields(data_source), list(criteria)
    samples = fields.text("type") in ("completions", "responses")
    if samples and fields.text("model") is None:
        raise missing("data_source.model")
    for row in rows(call.account, fields.object("source") or {}):
        item, made = row.get("item") or {}, list[Invocation]()
        asked, said = _asked(fields, item), str((row.get("sample") or {}).get("output_text", ""))
        if samples:
            invocation, said = _sampled(call, fields.text("model") or "", asked)
            made.append(invocation)
        sample = {"output_text": said}
        results = []
        for criterion in criteria:
            results.append(_result(criterion, item, sample))
            if criterion.get("type") in _MODEL_GRADERS:
                made.append(_graded(call, criterion))
        yield Marked(item, asked, said, results, tuple(made))


def used(marked: Iterable[Marked]) -> list[JsonObject]:
    """`per_model_usage`: of the model and of graders alike."""
    sums: dict[str, list[Usage]] = {}
    for row in marked:
        for invocation in row.invocations:
            sums.setdefault(invocation.model, []).append(invocation.usage)
    return [
        {"model_name": model, "invocation_count": len(each), **reported(each)} for model, each in sums.items()
    ]


def reported(usages: Iterable[Usage]) -> JsonObject:
    usages = list(usages)
    prompt, completion = sum(usage.prompt for usage in usages), sum(usage.completion for usage in usages)
    tokens = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return tokens | {"cached_tokens": sum(usage.cached for usage in usages)}


def _asked(fields: Fields, item: JsonObject) -> list[JsonObject]:
    given = Fields(fields.object("input_messages") or {})
    reference = given.text("item_reference")
    if reference is None:
        return [_message(message, {"item": item}) for message in given.objects("template")]
    found = _looked_up(reference, {"item": item})
    if not isinstance(found, list):
        return [{"role": "user", "content": str(found)}]
    return [_message(message, {}) for message in found if isinstance(message, dict)]


def _message(message: JsonObject, known: JsonObject) -> JsonObject:
    content = message.get("content")
    text = content if isinstance(content, str) else orjson.dumps(content).decode()
    return {"role": str(message.get("role", "user")), "content": _filled(text, known)}


def _sampled(call: Call, name: str, asked: list[JsonObject]) -> tuple[Invocation, str]:
    model, suffix = known_model(name)
    own = read_switches(None, suffix)
    wished = call.switches.tokens if call.switches.tokens is not None else own.tokens
    call = replace(call, model=model)
    said = complete(call.vocabulary, digest(call.seed, model, asked), Wish(tokens=wished))
    prompt = 3 + sum(3 + call.vocabulary.count(message["content"]) for message in asked)
    return Invocation(model, Usage(prompt, said.tokens)), said.text


def _graded(call: Call, criterion: JsonObject) -> Invocation:
    model, _ = known_model(str(criterion.get("model", "")))
    text = orjson.dumps(criterion.get("input")).decode()
    return Invocation(model, Usage(replace(call, model=model).vocabulary.count(text), GRADING_TOKENS))


def _result(criterion: JsonObject, item: JsonObject, sample: JsonObject) -> JsonObject:
    passed = True
    if criterion.get("type") == "string_check":
        known = {"item": item, "sample": sample}
        given, wanted = (_filled(str(criterion.get(name, "")), known) for name in ("input", "reference"))
        match criterion.get("operation"):
            case "eq":
                passed = given == wanted
            case "ne":
                passed = given != wanted
            case "like":
                passed = wanted in given
            case "ilike":
                passed = wanted.lower() in given.lower()
    return {
        "name": criterion.get("name", ""),
        "type": criterion.get("type"),
        "passed": passed,
        "score": float(passed),
    }


def _filled(text: str, known: JsonObject) -> str:
    return _PLACE.sub(lambda place: str(_looked_up(place[1], known)), text)


def _looked_up(path: str, known: JsonObject) -> Any:
    found: Any = known
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
