"""Evals and their runs: a run asks models, and lets models judge; it is paid for by what each of them used."""

from proxy.endpoints.endpoint import Endpoint, Lists
from proxy.meter import meters

_ALL = "/v1/evals"
_ONE = _ALL + "/{eval}"
_RUNS = _ONE + "/runs"
_RUN = _RUNS + "/{eval_run}"
_ITEMS = _RUN + "/output_items"

ENDPOINTS = (
    Endpoint("evals.create", "POST", _ALL, creates="eval"),
    Endpoint("evals", "GET", _ALL, lists=Lists("eval")),
    Endpoint("evals.retrieve", "GET", _ONE),
    Endpoint("evals.update", "POST", _ONE),
    Endpoint("evals.delete", "DELETE", _ONE),
    Endpoint(
        "evals.runs.create", "POST", _RUNS, meters.work, creates="eval_run", defers="eval_run", unpaced=True
    ),
    Endpoint("evals.runs", "GET", _RUNS),
    Endpoint("evals.runs.retrieve", "GET", _RUN),
    Endpoint("evals.runs.cancel", "POST", _RUN + "/cancel"),
    Endpoint("evals.runs.cancel_as_before", "POST", _RUN),
    Endpoint("evals.runs.delete", "DELETE", _RUN),
    Endpoint("evals.runs.output_items", "GET", _ITEMS),
    Endpoint("evals.runs.output_items.retrieve", "GET", _ITEMS + "/{output_item}"),
)
