"""Containers for the code interpreter. Their files live and die with them."""

from proxy.endpoints.endpoint import Endpoint, Lists
from proxy.meter import meters

_ALL = "/v1/containers"
_ONE = _ALL + "/{container}"
_FILES = _ONE + "/files"
_FILE = _FILES + "/{container_file}"

ENDPOINTS = (
    Endpoint("containers.create", "POST", _ALL, meters.container, creates="container", priced_as="container"),
    Endpoint("containers", "GET", _ALL, lists=Lists("container")),
    Endpoint("containers.retrieve", "GET", _ONE),
    Endpoint("containers.delete", "DELETE", _ONE, frees="container"),
    Endpoint("containers.files.create", "POST", _FILES, takes="upload", stores="container_file"),
    Endpoint("containers.files", "GET", _FILES),
    Endpoint("containers.files.retrieve", "GET", _FILE),
    Endpoint("containers.files.delete", "DELETE", _FILE, frees="container_file"),
    Endpoint("containers.files.content", "GET", _FILE + "/content"),
)
