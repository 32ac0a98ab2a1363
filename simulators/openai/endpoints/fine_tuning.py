"""/v1/fine_tuning/jobs: each learns every token of its file once per epoch."""

from simulators.openai.account import Shelf, new_id, page
from simulators.openai.answers import Answer, Call, Route, Usage, Whole, pretty
from simulators.openai.errors import ApiError
from simulators.openai.fields import JsonObject
from simulators.openai.tuned_models import new_model
from simulators.openai.uploaded import files, new_file

_UNFINISHED = ("validating_files", "queued", "running", "paused")


def _create(call: Call) -> Answer:
    fields = call.fields
    fields.require("training_file")
    training = files(call.account).get(fields.text("training_file") or "")
    wished = (fields.object("hyperparameters") or {}).get("n_epochs")
    epochs = wished if isinstance(wished, int) else 3
    job: JsonObject = {
        "id": new_id("ftjob-"),
        "object": "fine_tuning.job",
        "created_at": call.created,
        "error": None,
        "estimated_finish": None,
        "fine_tuned_model": None,
        "finished_at": None,
        "hyperparameters": {"n_epochs": epochs, "batch_size": 1, "learning_rate_multiplier": 1.0},
        "metadata": fields.object("metadata"),
        "method": fields.object("method") or {"type": "supervised"},
        "model": call.model,
        "organization_id": "org-simulated",
        "result_files": [],
        "seed": fields.integer("seed", 0) or 0,
        "status": "validating_files",
        "trained_tokens": None,
        "training_file": training["id"],
        "validation_file": fields.text("validation_file"),
        "integrations": [],
        "user_provided_suffix": fields.text("suffix"),
    }
    text = bytes(call.account.contents[training["id"]]).decode("utf-8", "replace")
    _jobs(call).add(job)
    _tell(call, job, f"Created fine-tuning job: {job['id']}")
    call.account.after((call.seconds + call.finished_at()) / 2, lambda: _begin(call, job))
    call.account.after(call.finished_at(), lambda: _finish(call, job, text, epochs))
    return Whole(pretty(job))


def _begin(call: Call, job: JsonObject) -> None:
    if job["status"] == "validating_files":
        job["status"] = "running"
        _tell(call, job, "Fine-tuning job started")


def _finish(call: Call, job: JsonObject, text: str, epochs: int) -> None:
    if job["status"] not in _UNFINISHED:
        return
    trained = call.vocabulary.count(text) * epochs
    named = f"ft:{job['model']}:simulated:{job['user_provided_suffix'] or ''}:{job['id'][-8:]}"
    results = new_file(call, "step_metrics.csv", "fine-tune-results", b"step,train_loss\n1,0.5\n")
    job |= {"status": "succeeded", "trained_tokens": trained, "fine_tuned_model": named}
    new_model(call, named)
    job |= {"finished_at": int(call.finished_at()), "result_files": [results["id"]]}
    call.account.shelf("fine_tuning.job.checkpoint", job["id"]).add(
        {
            "id": new_id("ftckpt_"),
            "object": "fine_tuning.job.checkpoint",
            "created_at": call.created,
            "fine_tuned_model_checkpoint": f"{named}:ckpt-step-1",
            "fine_tuning_job_id": job["id"],
            "metrics": {"step": 1, "train_loss": 0.5},
            "step_number": 1,
        }
    )
    _tell(call, job, "The job has successfully completed")
    call.serve(Usage(prompt=trained))


def _listing(call: Call) -> Answer:
    return Whole(pretty(page(_jobs(call).all(), call.query)))


def _one(call: Call) -> Answer:
    return Whole(pretty(_job(call)))


def _cancel(call: Call) -> Answer:
    return _turned(call, "cancelled")


def _pause(call: Call) -> Answer:
    return _turned(call, "paused")


def _resume(call: Call) -> Answer:
    return _turned(call, "running")


def _turned(call: Call, status: str) -> Answer:
    job = _job(call)
    if job["status"] not in _UNFINISHED:
        raise ApiError(400, f"Job has already completed: {job['id']}.", code="invalid_job_state")
    job["status"] = status
    return Whole(pretty(job))


def _events(call: Call) -> Answer:
    return Whole(
        pretty(page(call.account.shelf("fine_tuning.job.event", _job(call)["id"]).all(), call.query))
    )


def _checkpoints(call: Call) -> Answer:
    shelf = call.account.shelf("fine_tuning.job.checkpoint", _job(call)["id"])
    return Whole(pretty(page(shelf.all(), call.query)))


def _tell(call: Call, job: JsonObject, message: str) -> None:
    event = {"id": new_id("ftevent-"), "object": "fine_tuning.job.event", "created_at": call.created}
    event |= {"level": "info", "message": message, "type": "message"}
    call.account.shelf("fine_tuning.job.event", job["id"]).add(event)


def _jobs(call: Call) -> Shelf:
    return call.account.shelf("fine_tuning.job")


def _job(call: Call) -> JsonObject:
    return _jobs(call).get(call.parameters["id"])


_PATH = "/v1/fine_tuning/jobs"
ROUTES = (
    Route("POST", _PATH, _create),
    Route("GET", _PATH, _listing, needs_model=False),
    Route("GET", _PATH + "/{id}", _one, needs_model=False),
    Route("POST", _PATH + "/{id}/cancel", _cancel, needs_model=False),
    Route("POST", _PATH + "/{id}/pause", _pause, needs_model=False),
    Route("POST", _PATH + "/{id}/resume", _resume, needs_model=False),
    Route("GET", _PATH + "/{id}/events", _events, needs_model=False),
    Route("GET", _PATH + "/{id}/checkpoints", _checkpoints, needs_model=False),
)
