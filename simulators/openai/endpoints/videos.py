"""/v1/videos: priced by the seconds that are made."""

from simulators.openai.account import Shelf, new_id, page
from simulators.openai.answers import Answer, Call, Route, Usage, Whole, pretty
from simulators.openai.errors import ApiError
from simulators.openai.fields import JsonObject

_SIZES = ("720x1280", "1280x720", "1024x1792", "1792x1024")


def _create(call: Call) -> Answer:
    fields = call.fields
    fields.require("prompt")
    seconds = str(fields.get("seconds") or 4)
    if seconds not in ("4", "8", "12"):
        raise ApiError(
            400, f"Invalid value: '{seconds[:40]}'. Supported are '4', '8', '12'.", param="seconds"
        )
    size = fields.one_of("size", _SIZES) or _SIZES[0]
    return _begun(call, {"model": call.model, "seconds": seconds, "size": size}, None)


def _remix(call: Call) -> Answer:
    call.fields.require("prompt")
    original = _videos(call).get(call.parameters["id"])
    same = {name: original[name] for name in ("model", "seconds", "size")}
    return _begun(call, same, original["id"])


def _begun(call: Call, described: JsonObject, original: str | None) -> Answer:
    video: JsonObject = {
        "id": new_id("video_"),
        "object": "video",
        "created_at": call.created,
        "completed_at": None,
        "expires_at": None,
        "error": None,
        "progress": 0,
        "prompt": call.fields.text("prompt"),
        "remixed_from_video_id": original,
        "status": "queued",
        **described,
    }

    def finish() -> None:
        if _videos(call).find(video["id"]) is not None:
            video.update(status="completed", progress=100, completed_at=int(call.finished_at()))
            call.serve(Usage(seconds=int(video["seconds"])))

    body = pretty(_videos(call).add(video))
    call.account.after(call.finished_at(), finish)
    return Whole(body)


def _listing(call: Call) -> Answer:
    return Whole(pretty(page(_videos(call).all(), call.query)))


def _one(call: Call) -> Answer:
    return Whole(pretty(_videos(call).get(call.parameters["id"])))


def _delete(call: Call) -> Answer:
    return Whole(pretty(_videos(call).remove(call.parameters["id"])))


def _content(call: Call) -> Answer:
    video = _videos(call).get(call.parameters["id"])
    if video["status"] != "completed":
        raise ApiError(404, "Video is not ready yet.", code="not_ready")
    return Whole(b"\0\0\0\x18ftypmp42" * int(video["seconds"]), content_type="video/mp4")


def _videos(call: Call) -> Shelf:
    return call.account.shelf("video")


ROUTES = (
    Route("POST", "/v1/videos", _create, default_model="sora-2"),
    Route("GET", "/v1/videos", _listing, needs_model=False),
    Route("GET", "/v1/videos/{id}", _one, needs_model=False),
    Route("DELETE", "/v1/videos/{id}", _delete, needs_model=False),
    Route("GET", "/v1/videos/{id}/content", _content, needs_model=False),
    Route("POST", "/v1/videos/{id}/remix", _remix, needs_model=False),
)
