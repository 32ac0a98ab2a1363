"""/v1/evals/{id}/runs and their output items: booked once, when the run is done."""

from dataclasses import replace

from simulators.openai.account import Shelf, new_id, page
from simulators.openai.answers import Answer, Call, Route, Whole, pretty, total_usage
from simulators.openai.endpoints.evals import one_eval
from simulators.openai.errors import ApiError, missing
from simulators.openai.evaluation import Marked, judge, reported, used
from simulators.openai.fields import JsonObject
from simulators.openai.switches import known_model, read_switches

_UNFINISHED = ("queued", "in_progress")


def _create(call: Call) -> Answer:
    evaluation = one_eval(call)
    source = call.fields.object("data_source")
    if source is None:
        raise missing("data_source")
    model, suffix = known_model(source["model"]) if source.get("model") else ("", "")
    finish = call.switches.finish or read_switches(None, suffix).finish
    call = replace(call, switches=replace(call.switches, finish=finish))
    marked = list(judge(call, source, evaluation["testing_criteria"]))
    run: JsonObject = {
        "id": new_id("evalrun_"),
        "object": "eval.run",
        "created_at": call.created,
        "eval_id": evaluation["id"],
        "name": call.fields.text("name") or "",
        "model": model,
        "status": "queued",
        "data_source": source,
        "metadata": call.fields.object("metadata") or {},
        "error": None,
        "per_model_usage": None,
        "per_testing_criteria_results": None,
        "report_url": f"https://evaluations.invalid/{evaluation['id']}",
        "result_counts": {"total": 0, "errored": 0, "failed": 0, "passed": 0},
    }
    body = pretty(_runs(call).add(run))
    call.account.after(call.finished_at(), lambda: _finish(call, run, evaluation, marked))
    return Whole(body)


def _finish(call: Call, run: JsonObject, evaluation: JsonObject, marked: list[Marked]) -> None:
    if run["status"] not in _UNFINISHED:
        return
    passed = [all(result["passed"] for result in row.results) for row in marked]
    counts = {"total": len(marked), "errored": 0, "failed": passed.count(False), "passed": passed.count(True)}
    per_criterion = []
    for place, criterion in enumerate(evaluation["testing_criteria"]):
        marks = [row.results[place]["passed"] for row in marked]
        named = {"testing_criteria": criterion.get("name", "")}
        per_criterion.append(named | {"passed": marks.count(True), "failed": marks.count(False)})
    run |= {"status": "completed", "result_counts": counts, "per_model_usage": used(marked)}
    run |= {"per_testing_criteria_results": per_criterion}
    for number, row in enumerate(marked):
        _outputs(call, run).add(_output(call, run, number, row, passed[number]))
    call.serve(total_usage(made.usage for row in marked for made in row.invocations))


def _output(call: Call, run: JsonObject, number: int, row: Marked, passed: bool) -> JsonObject:
    return {
        "id": new_id("outputitem_"),
        "object": "eval.run.output_item",
        "created_at": call.created,
        "run_id": run["id"],
        "eval_id": run["eval_id"],
        "status": "pass" if passed else "fail",
        "datasource_item_id": number,
        "datasource_item": row.item,
        "results": row.results,
        "sample": {
            "input": row.asked,
            "output": [{"role": "assistant", "content": row.said}],
            "finish_reason": "stop",
            "model": run["model"],
            "usage": reported(made.usage for made in row.invocations[:1]),
            "error": None,
            "temperature": 1.0,
            "max_completion_tokens": 2048,
            "top_p": 1.0,
            "seed": 42,
        },
    }


def _listing(call: Call) -> Answer:
    status = call.query.get("status")
    found = [run for run in _runs(call).all() if status in (None, run["status"])]
    return Whole(pretty(page(found, call.query, order="asc")))


def _one(call: Call) -> Answer:
    return Whole(pretty(_run(call)))


def _cancel(call: Call) -> Answer:
    run = _run(call)
    if run["status"] not in _UNFINISHED:
        raise ApiError(400, f"Cannot cancel a run with status '{run['status']}'.")
    run |= {"status": "canceled", "per_model_usage": []}
    return Whole(pretty(run))


def _delete(call: Call) -> Answer:
    run = _run(call)
    _runs(call).remove(run["id"])
    run["status"] = "deleted"  # what is still under way comes to nothing
    call.account.drop("eval.run.output_item", run["id"])
    return Whole(pretty({"object": "eval.run.deleted", "deleted": True, "run_id": run["id"]}))


def _output_items(call: Call) -> Answer:
    status = call.query.get("status")
    found = [item for item in _outputs(call, _run(call)).all() if status in (None, item["status"])]
    return Whole(pretty(page(found, call.query, order="asc")))


def _output_item(call: Call) -> Answer:
    return Whole(pretty(_outputs(call, _run(call)).get(call.parameters["item"])))


def _runs(call: Call) -> Shelf:
    return call.account.shelf("eval.run", one_eval(call)["id"])


def _run(call: Call) -> JsonObject:
    return _runs(call).get(call.parameters["run"])


def _outputs(call: Call, run: JsonObject) -> Shelf:
    return call.account.shelf("eval.run.output_item", run["id"])


_PATH = "/v1/evals/{id}/runs"
ROUTES = (
    Route("POST", _PATH, _create, needs_model=False),
    Route("GET", _PATH, _listing, needs_model=False),
    Route("GET", _PATH + "/{run}", _one, needs_model=False),
    Route("POST", _PATH + "/{run}", _cancel, needs_model=False),
    Route("POST", _PATH + "/{run}/cancel", _cancel, needs_model=False),
    Route("DELETE", _PATH + "/{run}", _delete, needs_model=False),
    Route("GET", _PATH + "/{run}/output_items", _output_items, needs_model=False),
    Route("GET", _PATH + "/{run}/output_items/{item}", _output_item, needs_model=False),
)
