"""/v1/threads/{id}/runs and their steps: the usage stands on the run, and again on its step."""

from collections.abc import Iterator
from dataclasses import replace

import orjson

from simulators.openai.account import Shelf, new_id, page
from simulators.openai.answers import Answer, Call, Event, Route, Stream, Usage, Whole, plain_failure, pretty
from simulators.openai.catalogue import is_known
from simulators.openai.completion import Completion, Wish, complete, digest
from simulators.openai.errors import ApiError, unknown_model
from simulators.openai.fields import Fields, JsonObject
from simulators.openai.switches import read_switches, split_model
from simulators.openai.threads import new_message, new_thread, thread, tokens

_UNFINISHED = ("queued", "in_progress", "requires_action")


def _create(call: Call) -> Answer:
    for message in call.fields.objects("additional_messages"):
        new_message(call, thread(call)["id"], message)
    return _begun(call, thread(call)["id"])


def _create_thread_and_run(call: Call) -> Answer:
    return _begun(call, new_thread(call, Fields(call.fields.object("thread") or {}))["id"])


def _begun(call: Call, thread_id: str) -> Answer:
    fields = call.fields
    fields.require("assistant_id")
    assistant = call.account.shelf("assistant").get(fields.text("assistant_id") or "")
    model, suffix = split_model(fields.text("model") or assistant["model"])
    if not is_known(model):
        raise unknown_model(model)
    own = read_switches(None, suffix)
    wished = call.switches.tokens if call.switches.tokens is not None else own.tokens
    finish = call.switches.finish or own.finish
    call = replace(call, model=model, switches=replace(call.switches, finish=finish))
    run: JsonObject = {
        "id": new_id("run_"),
        "object": "thread.run",
        "created_at": call.created,
        "assistant_id": assistant["id"],
        "thread_id": thread_id,
        "status": "queued",
        "started_at": call.created,
        "completed_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "expires_at": call.created + 600,
        "last_error": None,
        "incomplete_details": None,
        "required_action": None,
        "model": model,
        "instructions": fields.text("instructions") or assistant["instructions"] or "",
        "tools": assistant["tools"],
        "metadata": fields.object("metadata") or {},
        "usage": None,
        "parallel_tool_calls": True,
        "response_format": "auto",
        "tool_choice": "auto",
        "truncation_strategy": {"type": "auto", "last_messages": None},
    }
    prompt = tokens(call, thread_id) + call.vocabulary.count(run["instructions"])
    said = complete(call.vocabulary, digest(call.seed, model, prompt), Wish(tokens=wished))
    call.account.shelf("thread.run", thread_id).add(run)
    work = _Work(call, run, said, Usage(prompt, said.tokens))
    call.account.after(call.finished_at(), work.finish)
    if fields.flag("stream"):
        return Stream(work.events(), work.usage, plain_failure, books_itself=True)
    return Whole(pretty(run))


class _Work:
    """What a run does: one message, in one step."""

    def __init__(self, call: Call, run: JsonObject, said: Completion, usage: Usage) -> None:
        self._call = call
        self._run = run
        self._said = said
        self.usage = usage

    def finish(self) -> None:
        call, run = self._call, self._run
        if run["status"] not in _UNFINISHED:
            return
        reported = {
            "prompt_tokens": self.usage.prompt,
            "completion_tokens": self.usage.completion,
            "total_tokens": self.usage.total,
        }
        now = int(call.finished_at())
        run |= {"status": "completed", "completed_at": now, "expires_at": None, "usage": reported}
        members = {"role": "assistant", "content": self._said.text}
        message = new_message(call, run["thread_id"], members, run)
        step = {
            "id": new_id("step_"),
            "object": "thread.run.step",
            "created_at": call.created,
            "run_id": run["id"],
            "assistant_id": run["assistant_id"],
            "thread_id": run["thread_id"],
            "type": "message_creation",
            "status": "completed",
            "completed_at": now,
            "step_details": {
                "type": "message_creation",
                "message_creation": {"message_id": message["id"]},
            },
            "usage": reported,
        }
        call.account.shelf("thread.run.step", run["id"]).add(step)
        call.serve(self.usage)

    def events(self) -> Iterator[Event]:
        yield _event("thread.run.created", self._run)
        self._run["status"] = "in_progress"
        yield _event("thread.run.in_progress", self._run)
        identifier = new_id("msg_")
        for piece in self._said.pieces:
            content = [{"index": 0, "type": "text", "text": {"value": piece.text}}]
            delta = {"id": identifier, "object": "thread.message.delta", "delta": {"content": content}}
            yield _event("thread.message.delta", delta)
        self.finish()
        for step in self._call.account.shelf("thread.run.step", self._run["id"]).all():
            yield _event("thread.run.step.completed", step)
        yield _event(f"thread.run.{self._run['status']}", self._run)
        yield Event(b"event: done\ndata: [DONE]\n\n", 0)


def _event(kind: str, value: JsonObject) -> Event:
    return Event(b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n", 0)


def _listing(call: Call) -> Answer:
    return Whole(pretty(page(_runs(call).all(), call.query)))


def _one(call: Call) -> Answer:
    return Whole(pretty(_run(call)))


def _update(call: Call) -> Answer:
    run = _run(call)
    run["metadata"] = call.fields.object("metadata") or {}
    return Whole(pretty(run))


def _cancel(call: Call) -> Answer:
    run = _run(call)
    if run["status"] not in _UNFINISHED:
        raise ApiError(400, f"Cannot cancel run with status '{run['status']}'.")
    run |= {"status": "cancelled", "cancelled_at": call.created}
    return Whole(pretty(run))


def _steps(call: Call) -> Answer:
    return Whole(pretty(page(call.account.shelf("thread.run.step", _run(call)["id"]).all(), call.query)))


def _step(call: Call) -> Answer:
    shelf = call.account.shelf("thread.run.step", _run(call)["id"])
    return Whole(pretty(shelf.get(call.parameters["step"])))


def _runs(call: Call) -> Shelf:
    return call.account.shelf("thread.run", thread(call)["id"])


def _run(call: Call) -> JsonObject:
    return _runs(call).get(call.parameters["run"])


_PATH = "/v1/threads/{id}/runs"
ROUTES = (
    Route("POST", "/v1/threads/runs", _create_thread_and_run, needs_model=False),
    Route("POST", _PATH, _create, needs_model=False),
    Route("GET", _PATH, _listing, needs_model=False),
    Route("GET", _PATH + "/{run}", _one, needs_model=False),
    Route("POST", _PATH + "/{run}", _update, needs_model=False),
    Route("POST", _PATH + "/{run}/cancel", _cancel, needs_model=False),
    Route("GET", _PATH + "/{run}/steps", _steps, needs_model=False),
    Route("GET", _PATH + "/{run}/steps/{step}", _step, needs_model=False),
)
