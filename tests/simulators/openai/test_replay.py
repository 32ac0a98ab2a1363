"""Recorded answers come back byte for byte, cut wherever the network might cut them."""

import base64
import gzip
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.openai.replay import cut
from tests.simulators.openai.running import Running

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus" / "openai-traffic.jsonl.gz"
STREAM = 'data: {"a":"é€"}\r\n\r\ndata: [DONE]\r\n\r\n'


def row(identity: str, **members: Any) -> dict[str, Any]:
    blank = {
        "id": identity,
        "method": "POST",
        "endpoint": "/v1/anything/at%3Aall",
        "model": "m",
        "stream": False,
        "request_body": '{"a": 1, "b": [2]}',
        "request_body_b64": False,
        "response_status": 200,
        "response_headers": {"content-type": "application/json", "content-encoding": "gzip"},
        "response_body": '{ "x" : 1}\n',
        "response_body_b64": False,
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }
    return blank | members


@pytest.fixture
def replaying(start: Callable[..., Running], tmp_path: Path) -> Running:
    rows = [
        row("whole"),
        row(
            "stream",
            stream=True,
            response_body=STREAM,
            response_headers={"content-type": "text/event-stream"},
        ),
        row("binary", response_body=base64.b64encode(b"\xff\x00").decode(), response_body_b64=True),
        row("gone", method="DELETE", request_body="", response_status=204, response_body=""),
    ]
    file = tmp_path / "recorded.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in rows))
    return start("--replay", str(file))


def test_an_answer_is_found_by_method_path_and_json_body(replaying: Running) -> None:
    response = replaying.client.post("/v1/anything/at:all", content=b'{"b":[2],"a":1}')
    assert response.content == b'{ "x" : 1}\n'
    assert response.headers["content-type"] == "application/json"
    assert "content-encoding" not in response.headers


def test_an_answer_is_found_by_its_id(replaying: Running) -> None:
    for identity, body in (("stream", STREAM.encode()), ("binary", b"\xff\x00")):
        response = replaying.client.post("/whatever", headers={"x-replay-id": identity})
        assert response.content == body
    gone = replaying.client.delete("/v1/anything/at%3Aall")
    assert (gone.status_code, gone.content) == (204, b"")


def test_what_was_not_recorded_is_a_404(replaying: Running) -> None:
    assert "no recorded answer" in replaying.client.get("/v1/models").json()["error"]["message"]
    response = replaying.client.get("/v1/models", headers={"x-replay-id": "nothing"})
    assert (response.status_code, "'nothing'" in response.text) == (404, True)


def test_replayed_answers_are_booked_with_their_recorded_usage(replaying: Running) -> None:
    headers = {"x-replay-id": "stream", "x-client-request-id": "replayed"}
    replaying.client.post("/whatever", headers=headers)
    entry = replaying.entry("replayed")
    assert (entry["prompt_tokens"], entry["completion_tokens_served"]) == (3, 4)
    assert (entry["ended"], entry["stream"]) == ("complete", True)


@given(body=st.text().map(str.encode), seed=st.text())
def test_cuts_lose_and_change_nothing(body: Any, seed: Any) -> None:
    assert b"".join(cut(body, seed)) == body
    assert list(cut(body, seed)) == list(cut(body, seed))


def test_cuts_fall_within_characters_and_line_ends() -> None:
    pieces = list(cut(STREAM.encode() * 5, "any"))
    ends = [before[-1:] + after[:1] for before, after in pairwise(pieces)]
    assert b"\r\n" in ends
    assert "é".encode() in ends


@pytest.mark.skipif(not CORPUS.exists(), reason="the recorded traffic is not beside this checkout")
def test_every_recorded_answer_comes_back_byte_for_byte(start: Callable[..., Running]) -> None:
    replaying = start("--replay", str(CORPUS))
    recorded = [json.loads(line) for line in gzip.decompress(CORPUS.read_bytes()).splitlines()]
    for each in recorded:
        body = each["response_body"]
        expected = base64.b64decode(body) if each["response_body_b64"] else body.encode()
        response = replaying.client.request(
            each["method"], quote(each["endpoint"], safe="/%:"), headers={"x-replay-id": each["id"]}
        )
        assert (response.status_code, response.content) == (each["response_status"], expected), each["id"]
        assert response.headers.get("content-type") == each["response_headers"].get("content-type")
    assert len(recorded) > 400
