"""What work that has ended used, by what its provider tells of it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ledger.usage import Usage
from proxy.deferred.work import Use, Work
from proxy.meter.batch_output import BatchLine, BatchOutput
from proxy.meter.jobs import Job
from proxy.meter.service_tier import service_tier_of
from proxy.meter.usage import add_usage, read_usage
from proxy.upstream.download import Download

_BATCH_TIER: Final = "batch"

Get = Callable[[str], Download]
"""Asks the provider that does the work for something else, by its path from `/v1` on."""


class UntoldError(Exception):
    """The work has ended, and nobody can tell what it used."""


async def uses_of(work: Work, job: Job, told: Mapping[str, Any], get: Get) -> list[Use]:
    """One use for each model. Raises UntoldError, and DownloadError where the provider can't be asked now."""
    match work.kind:
        case "batch":
            return await _batch(told, get)
        case "eval_run":
            return list(_eval(told))
    if job.usage is None:
        raise UntoldError
    model = "" if work.made.record.model else job.model
    return [Use(model, job.usage, service_tier=service_tier_of(told))]


async def _batch(told: Mapping[str, Any], get: Get) -> list[Use]:
    written = told.get("output_file_id")
    if not isinstance(written, str) or not written:
        return [Use("", Usage(), service_tier=_BATCH_TIER)]
    used: dict[str, Usage] = {}
    download = get(f"/v1/files/{written}/content")
    try:
        if await download.begun() != 200:
            return _reported(told)
        output = BatchOutput(str(told.get("endpoint")))
        async for piece in download.pieces():
            _add(used, output.feed(piece))
        _add(used, output.finish())
    finally:
        download.close()
    return [Use(model, usage, service_tier=_BATCH_TIER) for model, usage in sorted(used.items())]


def _add(used: dict[str, Usage], lines: Iterator[BatchLine]) -> None:
    for line in lines:
        if line.usage is None:
            raise UntoldError
        used[line.model] = add_usage(used.get(line.model), line.usage)


def _reported(told: Mapping[str, Any]) -> list[Use]:
    """By the batch itself, where its output file is gone: newer ones say it."""
    usage, model = read_usage(told.get("usage")), told.get("model")
    if usage is None or not isinstance(model, str):
        raise UntoldError
    return [Use(model, usage, service_tier=_BATCH_TIER)]


def _eval(told: Mapping[str, Any]) -> Iterator[Use]:
    each = told.get("per_model_usage")
    if not isinstance(each, list):
        raise UntoldError
    for item in each:
        usage = read_usage(item) if isinstance(item, Mapping) else None
        if usage is None or not isinstance(item.get("model_name"), str):
            raise UntoldError
        yield Use(item["model_name"], usage)
