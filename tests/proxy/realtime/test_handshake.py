"""What a wish for a WebSocket says."""

from typing import Any

import pytest

from proxy.errors import Refusal
from proxy.realtime.handshake import Handshake, read


def wish(query: str = "model=gpt-realtime", *, offered: tuple[str, ...] = (), **headers: str) -> Handshake:
    scope: dict[str, Any] = {
        "path": "/v1/realtime",
        "query_string": query.encode(),
        "subprotocols": list(offered),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    return read(scope)


@pytest.mark.parametrize(
    "made",
    [
        wish(authorization="Bearer sk-tk-1"),
        wish(api_key="sk-tk-1"),
        wish(offered=("realtime", "openai-insecure-api-key.sk-tk-1")),
        wish("model=gpt-realtime&api-key=sk-tk-1"),
        wish(authorization="Bearer sk-tk-1", offered=("openai-insecure-api-key.sk-tk-2",)),
    ],
)
def test_a_credential_comes_in_a_header_a_subprotocol_or_the_query_and_goes_no_further(
    made: Handshake,
) -> None:
    assert made.credential == "sk-tk-1"
    assert b"sk-tk" not in made.query
    assert not any("sk-tk" in each for each in made.subprotocols)
    assert made.model == "gpt-realtime"


def test_the_query_goes_on_as_it_came() -> None:
    query = "model=gpt%2Drealtime&intent=transcription&x=%20a&&y"
    made = wish(query, api_key="sk-tk-1")
    assert made.query == query.encode()
    assert (made.model, made.transcribes, made.call) == ("gpt-realtime", True, "")


@pytest.mark.parametrize("name", ["deployment", "deploymen%74", "Deployment", "api-key", "api%2dkey"])
def test_no_second_model_and_no_key_goes_on_by_another_name(name: str) -> None:
    assert wish(f"model=a&{name}=b&x=1", authorization="Bearer k").query == b"model=a&x=1"


def test_the_project_of_a_browser_is_a_header_like_any_other() -> None:
    made = wish(offered=("openai-insecure-api-key.k", "openai-project.proj_1", "openai-beta.realtime-v1"))
    assert (b"openai-project", b"proj_1") in made.headers
    assert made.subprotocols == ["openai-beta.realtime-v1"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("model=a&model=b", "model"),
        ("model=&model=b", "model"),
        ("mod%65l=a&model=b", "model"),
        ("model=" + "a" * 257, "model"),
        ("model=%00", "model"),
        ("call_id=a&call_id=b", "call_id"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(query: str, param: str) -> None:
    with pytest.raises(Refusal) as refused:
        wish(query, api_key="k")
    assert (refused.value.status, refused.value.param) == (400, param)


def test_there_is_no_other_path() -> None:
    with pytest.raises(Refusal) as refused:
        read({"path": "/v1/realtime/x", "query_string": b"", "subprotocols": [], "headers": []})
    assert (refused.value.status, refused.value.code) == (404, "unknown_url")
