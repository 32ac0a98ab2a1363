"""The kinds of work that outlives its call: where it is looked at, and how long it may take."""

from typing import Final, NamedTuple

_HOUR: Final = 3600


class Kind(NamedTuple):
    """`path` is where the provider tells of it. `life`: seconds that it may take, and be looked for, before all that
    was held is charged."""

    path: str
    life: int


KINDS: Final = {
    "batch": Kind("/v1/batches/{batch}", 30 * _HOUR),
    "eval_run": Kind("/v1/evals/{eval}/runs/{eval_run}", 30 * _HOUR),
    "fine_tuning_job": Kind("/v1/fine_tuning/jobs/{fine_tuning_job}", 7 * 24 * _HOUR),
    "response": Kind("/v1/responses/{response}", 2 * _HOUR),
    "run": Kind("/v1/threads/{thread}/runs/{run}", 2 * _HOUR),
    "video": Kind("/v1/videos/{video}", 6 * _HOUR),
}
