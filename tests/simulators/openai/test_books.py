"""The books say what was really served, whatever the client did."""

import json
import socket
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest

from tests.simulators.openai.running import Running


def opened(
    simulator: Running, model: str, request_id: str, path: str = "/v1/chat/completions", stream: bool = True
) -> socket.socket:
    """A connection on which a request was sent and nothing read yet."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    data = json.dumps(body).encode()
    host, port = simulator.url.removeprefix("http://").split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    connection.settimeout(10)
    connection.connect((host, int(port)))
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
        f"x-client-request-id: {request_id}\r\ncontent-length: {len(data)}\r\n\r\n".encode()
        + data
    )
    return connection


def read_events(connection: socket.socket, count: int) -> bytes:
    got = b""
    while got.count(b"data: ") < count:
        got += connection.recv(4096)
    return got


def test_a_finished_request_is_booked_with_its_usage(simulator: Running) -> None:
    usage = simulator.chat(
        "gpt-5+tokens=9;reasoning=4;cached=2", headers={"x_client_request_id": "one", "x_secret": "hidden"}
    ).json()["usage"]
    books = simulator.books()
    expected = {
        "requests": 1,
        "streams": 0,
        "completed": 1,
        "client_disconnects": 0,
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": 13,
        "cached_tokens": 2,
        "reasoning_tokens": 4,
        "images": 0,
        "seconds": 0,
        "characters": 0,
        "tool_calls": 0,
    }
    assert books["total"] == expected
    assert books["models"] == {"gpt-5": expected}
    entry = simulator.entry("one")
    assert (entry["endpoint"], entry["status"], entry["ended"]) == ("/v1/chat/completions", 200, "complete")
    assert {"authorization", "x-secret"} <= set(entry["upstream_request_headers_seen"])
    assert "hidden" not in json.dumps(books)


def test_entries_are_found_by_the_id_that_was_answered(simulator: Running) -> None:
    response = simulator.chat(headers={"x_request_id": "callers"})
    found = simulator.books(request_id=response.headers["x-request-id"])["requests"]
    assert [entry["client_request_id"] for entry in found] == ["callers"]


@pytest.mark.parametrize("model", ["gpt-4o+tokens=300;pace=10", "gpt-4o+tokens=300;hang=21"])
def test_a_client_that_leaves_a_stream_is_seen_at_once(simulator: Running, model: str) -> None:
    connection = opened(simulator, model, "leaver")
    received = read_events(connection, 21)
    assert simulator.books()["open_streams"] == 1
    connection.close()
    entry = simulator.entry("leaver")
    assert entry["ended"] == "disconnected"
    # The first event has the role only; what is on its way may be one or two more than was read.
    assert received.count(b'"content"') - 1 <= entry["completion_tokens_served"] < 100
    assert entry["prompt_tokens"] > 0
    books = simulator.books()
    assert books["open_streams"] == 0
    assert books["total"]["client_disconnects"] == 1
    assert books["total"]["completion_tokens"] == entry["completion_tokens_served"]


def test_after_a_hang_exactly_the_written_tokens_are_booked(simulator: Running) -> None:
    connection = opened(simulator, "gpt-4o+tokens=300;hang=21", "hung")
    read_events(connection, 21)
    connection.close()
    assert simulator.entry("hung")["completion_tokens_served"] == 20


@pytest.mark.parametrize("together", [1, 100_000])
def test_what_a_client_never_took_is_not_booked(simulator: Running, together: int) -> None:
    connection = opened(simulator, f"gpt-4o+tokens=60000;chunks_per_write={together}", "deaf")
    read_events(connection, 1)
    connection.close()
    entry = simulator.entry("deaf")
    assert entry["ended"] == "disconnected"
    assert entry["completion_tokens_served"] < 60_000


def test_a_client_that_leaves_before_the_first_byte_is_served_nothing(simulator: Running) -> None:
    for stream in (True, False):
        connection = opened(simulator, "gpt-4o+delay=60000", f"early-{stream}", stream=stream)
        while not simulator.books(client_request_id=f"early-{stream}")["requests"]:
            pass
        connection.close()
        entry = simulator.entry(f"early-{stream}")
        served = (entry["ended"], entry["prompt_tokens"], entry["completion_tokens_served"])
        assert served == ("disconnected", 0, 0)


def test_cut_and_failed_streams_are_booked_with_what_they_delivered(simulator: Running) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        simulator.chat("gpt-4o+tokens=40;cut=11", stream=True, headers={"x_client_request_id": "cut"})
    simulator.chat("gpt-4o+tokens=40;error_event=6", stream=True, headers={"x_client_request_id": "failed"})
    cut, failed = simulator.entry("cut"), simulator.entry("failed")
    assert (cut["ended"], cut["completion_tokens_served"]) == ("cut", 10)
    assert (failed["ended"], failed["completion_tokens_served"]) == ("error", 5)
    assert simulator.books()["total"]["client_disconnects"] == 0


def test_refusals_are_booked_without_tokens(simulator: Running) -> None:
    simulator.chat("gpt-4o+status=500", headers={"x_client_request_id": "refused"})
    entry = simulator.entry("refused")
    assert (entry["status"], entry["ended"], entry["prompt_tokens"]) == (500, "error", 0)


def test_streams_of_every_endpoint_book_what_their_usage_says(simulator: Running) -> None:
    for path, body in (
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "n": 2}),
        ("/v1/completions", {"prompt": "Hi", "n": 2}),
        ("/v1/responses", {"input": "Hi"}),
    ):
        identity = str(uuid4())
        model = "gpt-3.5-turbo-instruct+tokens=11" if path == "/v1/completions" else "gpt-4o+tokens=11"
        simulator.post(path, body | {"model": model, "stream": True}, x_client_request_id=identity)
        choices = 2 if "n" in body else 1
        assert simulator.entry(identity)["completion_tokens_served"] == 11 * choices


def test_the_expected_key_is_told_from_others(start: Callable[..., Running]) -> None:
    guarded = start("--api-key", "sk-right")
    assert guarded.chat(headers={"x_client_request_id": "wrong"}).status_code == 401
    right = {"authorization": "Bearer sk-right", "x_client_request_id": "right"}
    assert guarded.chat(headers=right).status_code == 200
    assert guarded.entry("wrong")["authorization_expected"] is False
    assert guarded.entry("right")["authorization_expected"] is True


def test_reset_begins_new_books(simulator: Running) -> None:
    simulator.chat()
    simulator.client.post("/simulator/reset")
    books = simulator.books()
    assert (books["total"]["requests"], books["requests"], books["models"]) == (0, [], {})
