"""Vector stores, their files and batches of files. A file in one is named by its own id."""

from proxy.endpoints.endpoint import Endpoint, Lists

_ALL = "/v1/vector_stores"
_ONE = _ALL + "/{vector_store}"
_FILES = _ONE + "/files"
_FILE = _FILES + "/{file}"
_BATCHES = _ONE + "/file_batches"
_BATCH = _BATCHES + "/{file_batch}"

ENDPOINTS = (
    Endpoint("vector_stores.create", "POST", _ALL, creates="vector_store"),
    Endpoint("vector_stores", "GET", _ALL, lists=Lists("vector_store")),
    Endpoint("vector_stores.retrieve", "GET", _ONE),
    Endpoint("vector_stores.update", "POST", _ONE),
    Endpoint("vector_stores.delete", "DELETE", _ONE),
    Endpoint("vector_stores.search", "POST", _ONE + "/search"),
    Endpoint("vector_stores.files.create", "POST", _FILES),
    Endpoint("vector_stores.files", "GET", _FILES),
    Endpoint("vector_stores.files.retrieve", "GET", _FILE),
    Endpoint("vector_stores.files.update", "POST", _FILE),
    Endpoint("vector_stores.files.delete", "DELETE", _FILE),
    Endpoint("vector_stores.files.content", "GET", _FILE + "/content"),
    Endpoint("vector_stores.file_batches.create", "POST", _BATCHES),
    Endpoint("vector_stores.file_batches.retrieve", "GET", _BATCH),
    Endpoint("vector_stores.file_batches.cancel", "POST", _BATCH + "/cancel"),
    Endpoint("vector_stores.file_batches.files", "GET", _BATCH + "/files"),
)
