"""/v1/threads/{id}/runs and their steps: the usage stands on the run, and again on its step."""

from dataclasses import replace

from simulators.openai.account import Shelf, new_id, page
from simulators.openai.answers import Answer, Call, Route, Stream, Usage, Whole, plain_failure, pretty
from simulators.openai.errors import ApiError
from simulators.openai.fields import Fields, JsonObject
from simulators.openai.run_work import UNFINISHED, RunWork, Wishes
from simulators.openai.switches import known_model, read_switches
from simulators.openai.threads import new_message, new_thread, thread


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
    model, suffix = known_model(fields.text("model") or assistant["model"])
    own = read_switches(None, suffix)
    wishes = Wishes(
        call.switches.tokens if call.switches.tokens is not None else own.tokens,
        call.switches.requires_action or own.requires_action,
    )
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
        "tools": fields.array("tools") or assistant["tools"],
        "metadata": fields.object("metadata") or {},
        "usage": None,
        "parallel_tool_calls": True,
        "response_format": "auto",
        "tool_choice": "auto",
        "truncation_strategy": {"type": "auto", "last_messages": None},
    }
    call.account.shelf("thread.run", thread_id).add(run)
    work = RunWork(call, run, wishes)
    call.account.notes[thread_id].setdefault("work", {})[run["id"]] = work
    call.account.after(call.finished_at(), work.advance)
    return _shown(call, run, work, begins=True)


def _shown(call: Call, run: JsonObject, work: RunWork, *, begins: bool) -> Answer:
    if call.fields.flag("stream"):
        return Stream(work.events(begins=begins), Usage(), plain_failure, books_itself=True)
    return Whole(pretty(run))


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
    if run["status"] not in UNFINISHED:
        raise ApiError(400, f"Cannot cancel run with status '{run['status']}'.")
    _work(call, run).cancel()
    return Whole(pretty(run))


def _submit(call: Call) -> Answer:
    call.fields.require("tool_outputs")
    run = _run(call)
    work = _work(call, run)
    work.submit(call.fields.objects("tool_outputs"), call.seconds)
    return _shown(call, run, work, begins=False)


def _steps(call: Call) -> Answer:
    return Whole(pretty(page(call.account.shelf("thread.run.step", _run(call)["id"]).all(), call.query)))


def _step(call: Call) -> Answer:
    shelf = call.account.shelf("thread.run.step", _run(call)["id"])
    return Whole(pretty(shelf.get(call.parameters["step"])))


def _runs(call: Call) -> Shelf:
    return call.account.shelf("thread.run", thread(call)["id"])


def _run(call: Call) -> JsonObject:
    return _runs(call).get(call.parameters["run"])


def _work(call: Call, run: JsonObject) -> RunWork:
    work: RunWork = call.account.notes[run["thread_id"]]["work"][run["id"]]
    return work


_PATH = "/v1/threads/{id}/runs"
ROUTES = (
    Route("POST", "/v1/threads/runs", _create_thread_and_run, needs_model=False),
    Route("POST", _PATH, _create, needs_model=False),
    Route("GET", _PATH, _listing, needs_model=False),
    Route("GET", _PATH + "/{run}", _one, needs_model=False),
    Route("POST", _PATH + "/{run}", _update, needs_model=False),
    Route("POST", _PATH + "/{run}/cancel", _cancel, needs_model=False),
    Route("POST", _PATH + "/{run}/submit_tool_outputs", _submit, needs_model=False),
    Route("GET", _PATH + "/{run}/steps", _steps, needs_model=False),
    Route("GET", _PATH + "/{run}/steps/{step}", _step, needs_model=False),
)
