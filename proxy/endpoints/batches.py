"""Batches: paid for by what their output files say, at the batch rate, when they have ended."""

from proxy.endpoints.endpoint import Endpoint, Lists
from proxy.meter import meters

_ALL = "/v1/batches"
_ONE = _ALL + "/{batch}"
_WRITTEN = (("output_file_id", "file"), ("error_file_id", "file"))

ENDPOINTS = (
    Endpoint(
        "batches",
        "POST",
        _ALL,
        meters.work,
        creates="batch",
        brings=_WRITTEN,
        defers="batch",
        unpaced=True,
    ),
    Endpoint(
        "batches.list",
        "GET",
        _ALL,
        lists=Lists("batch"),
        brings=tuple((f"data.{path}", kind) for path, kind in _WRITTEN),
    ),
    Endpoint("batches.retrieve", "GET", _ONE, brings=_WRITTEN),
    Endpoint("batches.cancel", "POST", _ONE + "/cancel", brings=_WRITTEN),
)
