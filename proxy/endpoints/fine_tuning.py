"""Fine-tuning: jobs are paid for by the tokens they trained; the models they make belong to who paid."""

from proxy.endpoints.endpoint import Endpoint, Lists
from proxy.meter import meters

_ALL = "/v1/fine_tuning/jobs"
_ONE = _ALL + "/{fine_tuning_job}"
_MADE = (("fine_tuned_model", "model"), ("result_files", "file"))

ENDPOINTS = (
    Endpoint(
        "fine_tuning.jobs.create",
        "POST",
        _ALL,
        meters.work,
        creates="fine_tuning_job",
        brings=_MADE,
        needs_model=True,
        defers="fine_tuning_job",
        unpaced=True,
    ),
    Endpoint(
        "fine_tuning.jobs",
        "GET",
        _ALL,
        lists=Lists("fine_tuning_job"),
        brings=tuple((f"data.{path}", kind) for path, kind in _MADE),
    ),
    Endpoint("fine_tuning.jobs.retrieve", "GET", _ONE, brings=_MADE, polls="fine_tuning_job"),
    Endpoint("fine_tuning.jobs.cancel", "POST", _ONE + "/cancel", brings=_MADE, polls="fine_tuning_job"),
    Endpoint("fine_tuning.jobs.pause", "POST", _ONE + "/pause", brings=_MADE),
    Endpoint("fine_tuning.jobs.resume", "POST", _ONE + "/resume", brings=_MADE),
    Endpoint("fine_tuning.jobs.events", "GET", _ONE + "/events"),
    Endpoint(
        "fine_tuning.jobs.checkpoints",
        "GET",
        _ONE + "/checkpoints",
        brings=(("data.fine_tuned_model_checkpoint", "model"),),
    ),
)
