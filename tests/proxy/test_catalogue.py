"""The catalogue of endpoints: consistent in itself, and nothing passes that is not in it."""

import re

import pytest

from proxy.endpoints.catalogue import CATALOGUE, find
from proxy.endpoints.endpoint import OBJECTS, Endpoint
from proxy.errors import Refusal


def example(template: str) -> str:
    return re.sub(r"\{(\w+)\}", r"some-\1", template)


@pytest.mark.parametrize("endpoint", CATALOGUE, ids=lambda endpoint: endpoint.name)
def test_each_endpoint_is_found_by_its_method_and_path(endpoint: Endpoint) -> None:
    match = find(endpoint.method, example(endpoint.template))
    assert match.endpoint is endpoint
    kinds = re.findall(r"\{(\w+)\}", endpoint.template)
    assert dict(match.ids) == {kind: f"some-{kind}" for kind in kinds}
    everybodys = {"model"} if endpoint.method == "GET" else set()
    assert match.owned == {f"some-{kind}" for kind in kinds if kind in OBJECTS - everybodys}


def test_a_fine_tuned_model_is_whose_it_is() -> None:
    assert find("GET", "/v1/models/ft:gpt-4o:org::1").owned == {"ft:gpt-4o:org::1"}


def test_names_are_given_once() -> None:
    names = [endpoint.name for endpoint in CATALOGUE]
    assert len(set(names)) == len(names)


def test_what_creates_an_object_names_a_kind_that_is_guarded() -> None:
    assert {endpoint.creates for endpoint in CATALOGUE} - {None} <= OBJECTS


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions/..", "/v1/responses//cancel", "/v1/nothing", "/", "/v1/models/"]
)
def test_no_other_path_passes(path: str) -> None:
    with pytest.raises(Refusal) as refused:
        find("GET", path)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/v1/responses/resp_1", "/v1/responses/resp_1"),
        ("/v1/responses/%72esp_1", "/v1/responses/resp_1"),
        ("/v1/%72esponses/resp_1", "/v1/responses/resp_1"),
        ("/v1/models/ft:gpt-4o:org::1", "/v1/models/ft:gpt-4o:org::1"),
        ("/v1/models/meta%2FLlama%203", "/v1/models/meta%2FLlama%203"),
        ("/v1/models/%C3%A9", "/v1/models/%C3%A9"),
    ],
)
def test_what_goes_upstream_is_written_in_one_way(path: str, written: str) -> None:
    match = find("GET", path)
    assert match.path == written.encode()
    assert find("GET", written) == match


@pytest.mark.parametrize(
    "path",
    [
        "/v1/responses/resp_1%2Finput_items",
        "/v1/responses/resp_1%2F..%2Fresp_2",
        "/v1/responses/..%5Cresp_1",
        "/v1/responses/resp_1%252Fcancel",
        "/v1/responses/resp_1%3Fstream",
        "/v1/responses/resp_1%00",
        "/v1/responses/%2e%2e",
        "/v1%2Fresponses/resp_1",
        "/v1/models/a%2F..%2Fb",
        "/v1/models/%2Fa",
        "/v1/threads/thread_1/messages/..%2F..%2Fthread_2",
        "//v1/responses/resp_1",
    ],
)
def test_a_path_that_may_be_read_in_two_ways_does_not_pass(path: str) -> None:
    with pytest.raises(Refusal) as refused:
        find("GET", path)
    assert refused.value.status == 404
