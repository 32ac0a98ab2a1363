"""Each switch does on the wire what it says."""

import gzip
import json
import socket
import time
from typing import Any

import httpx
import pytest

from tests.simulators.openai.running import Running


def lines(response: httpx.Response) -> list[str]:
    return [line for line in response.text.splitlines() if line]


def chunks(response: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in lines(response) if line.startswith("data: {")]


def text_of(response: httpx.Response) -> str:
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks(response) if c["choices"])


def test_chat_stream_without_include_usage_carries_no_usage(simulator: Running) -> None:
    response = simulator.chat("gpt-4o+tokens=5", stream=True)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "usage" not in response.text.replace('\\"usage\\"', "")
    assert response.text.endswith("data: [DONE]\n\n")
    assert len(chunks(response)) == 1 + 5 + 1


def test_include_usage_adds_null_to_each_chunk_and_one_last_chunk(simulator: Running) -> None:
    response = simulator.chat("gpt-4o+tokens=5", stream=True, stream_options={"include_usage": True})
    *others, last = chunks(response)
    assert all(chunk["usage"] is None for chunk in others)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 5


def test_members_of_a_chunk_stand_in_openai_order(simulator: Running) -> None:
    response = simulator.chat("gpt-4o+tokens=1", stream=True, stream_options={"include_usage": True})
    order = ["id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage"]
    assert [list(chunk) for chunk in chunks(response)] == [[*order, "obfuscation"]] * 4


def test_answers_carry_openai_headers(simulator: Running) -> None:
    headers = simulator.chat().headers
    assert headers["x-request-id"].startswith("req_")
    for name in ("openai-processing-ms", "openai-version", "x-ratelimit-remaining-tokens", "set-cookie"):
        assert name in headers


def test_no_usage_leaves_it_out_everywhere(simulator: Running) -> None:
    assert "usage" not in simulator.chat("gpt-4o+no_usage").json()
    streamed = simulator.chat("gpt-4o+no_usage", stream=True, stream_options={"include_usage": True})
    assert not any("usage" in chunk for chunk in chunks(streamed))
    response = simulator.post("/v1/responses", {"model": "gpt-4o+no_usage", "input": "Hi"})
    assert "usage" not in response.json()


def test_the_header_goes_before_the_model_name(simulator: Running) -> None:
    answer = simulator.chat("gpt-4o+tokens=5;cached=2", headers={"x_sim": "tokens=7"}).json()
    assert answer["usage"]["completion_tokens"] == 7
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 2


def test_delay_and_pace_take_their_time(simulator: Running) -> None:
    began = time.monotonic()
    simulator.chat("gpt-4o+delay=120")
    assert time.monotonic() - began >= 0.12
    began = time.monotonic()
    simulator.chat("gpt-4o+tokens=8;pace=10", stream=True)
    assert time.monotonic() - began >= 0.08


def test_gzip_compresses_the_body(simulator: Running) -> None:
    request = simulator.client.build_request(
        "POST",
        "/v1/chat/completions",
        json={"model": "gpt-4o+gzip", "messages": [{"role": "user", "content": "Hi"}]},
    )
    response = simulator.client.send(request, stream=True)
    raw = b"".join(response.iter_raw())
    response.close()
    assert response.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(raw))["object"] == "chat.completion"


def test_crlf_and_comments_change_the_frame_and_not_the_content(simulator: Running) -> None:
    plain = simulator.chat("gpt-4o+tokens=30", stream=True)
    framed = simulator.chat("gpt-4o+tokens=30;crlf;comment=2", stream=True)
    assert framed.content.count(b"\n") == framed.content.count(b"\r\n")
    assert lines(framed).count(": ping") == (1 + 30 + 1 + 1 + 1) // 2
    assert text_of(framed) == text_of(plain)


def test_an_error_event_ends_the_stream_without_done(simulator: Running) -> None:
    response = simulator.chat("gpt-4o+error_event=3", stream=True)
    assert len(chunks(response)) == 4
    assert chunks(response)[-1]["error"]["type"] == "server_error"
    assert "[DONE]" not in response.text


@pytest.mark.parametrize("stream", [True, False])
def test_cut_zero_closes_before_the_first_byte(simulator: Running, stream: bool) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        simulator.chat("gpt-4o+cut=0", stream=stream)


@pytest.mark.parametrize("stream", [True, False])
def test_cut_leaves_the_answer_unfinished(simulator: Running, stream: bool) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        simulator.chat("gpt-4o+cut=3", stream=stream)


def test_a_cut_stream_delivers_exactly_so_many_chunks(simulator: Running) -> None:
    body = {"model": "gpt-4o+cut=3", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    got = b""
    try:
        with simulator.client.stream("POST", "/v1/chat/completions", json=body) as response:
            for data in response.iter_raw():
                got += data
    except httpx.RemoteProtocolError:
        pass
    else:
        pytest.fail("the answer came to its end")
    assert got.count(b"data: ") == 3
    assert got.endswith(b"\n\n")


@pytest.mark.parametrize("sim", ["hang=0", "hang=3"])
def test_hang_sends_nothing_more(simulator: Running, sim: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        simulator.client.post(
            "/v1/chat/completions",
            json={"model": f"gpt-4o+{sim}", "messages": [{"role": "user", "content": "Hi"}], "stream": True},
            timeout=0.3,
        )


def reads(url: str, sim: str) -> list[bytes]:
    """What arrives at the socket, read by read."""
    body = {"model": f"gpt-4o+{sim}", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    data = json.dumps(body).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
    host, port = url.removeprefix("http://").split(":")
    got: list[bytes] = []
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head + b"content-length: %d\r\n\r\n" % len(data) + data)
        while not got or not got[-1].endswith(b"0\r\n\r\n"):
            got.append(connection.recv(1 << 16))
    return got


def test_chunks_per_write_decides_how_many_events_leave_together(simulator: Running) -> None:
    paced = reads(simulator.url, "tokens=8;pace=20")
    assert [data.count(b"data: ") for data in paced if b"data: " in data] == [1] * 11
    pairs = reads(simulator.url, "tokens=8;pace=20;chunks_per_write=4")
    assert [data.count(b"data: ") for data in pairs if b"data: " in data] == [4, 4, 3]
