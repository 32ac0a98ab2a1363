"""Files, and uploads that become one from parts. Their bytes pass as they come."""

from proxy.endpoints.endpoint import Endpoint, Lists

_FILES = "/v1/files"
_FILE = _FILES + "/{file}"
_UPLOADS = "/v1/uploads"
_UPLOAD = _UPLOADS + "/{upload}"

ENDPOINTS = (
    Endpoint("files.create", "POST", _FILES, takes="upload", creates="file", stores="file"),
    Endpoint("files", "GET", _FILES, lists=Lists("file", 10_000)),
    Endpoint("files.retrieve", "GET", _FILE),
    Endpoint("files.delete", "DELETE", _FILE, frees="file"),
    Endpoint("files.content", "GET", _FILE + "/content"),
    Endpoint("uploads", "POST", _UPLOADS, creates="upload"),
    Endpoint(
        "uploads.parts", "POST", _UPLOAD + "/parts", takes="upload", brings=(("id", "part"),), stores="part"
    ),
    Endpoint(
        "uploads.complete",
        "POST",
        _UPLOAD + "/complete",
        brings=(("file.id", "file"),),
        stores="file_of_parts",
        frees="upload",
    ),
    Endpoint("uploads.cancel", "POST", _UPLOAD + "/cancel", frees="upload"),
)
