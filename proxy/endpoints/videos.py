"""Videos: made after their call was answered, and paid for by the second when they are finished."""

from proxy.endpoints.endpoint import Endpoint, Lists
from proxy.meter.videos import videos

_ALL = "/v1/videos"
_ONE = _ALL + "/{video}"

ENDPOINTS = (
    Endpoint(
        "videos.create",
        "POST",
        _ALL,
        videos,
        takes="form",
        creates="video",
        default_model="sora-2",
        defers="video",
    ),
    Endpoint("videos", "GET", _ALL, lists=Lists("video")),
    Endpoint("videos.retrieve", "GET", _ONE, polls="video"),
    Endpoint("videos.delete", "DELETE", _ONE),
    Endpoint("videos.content", "GET", _ONE + "/content"),
    Endpoint("videos.remix", "POST", _ONE + "/remix", videos, takes="form", creates="video", defers="video"),
)
