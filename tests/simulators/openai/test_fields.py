"""Bad requests are refused in OpenAI's shape, with the name of what is wrong."""

from typing import Any

import httpx
import pytest

from tests.simulators.openai.running import Running

MESSAGES = [{"role": "user", "content": "Hi"}]
CHAT = "/v1/chat/completions"


def refusal(response: httpx.Response, status: int = 400) -> dict[str, Any]:
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert response.headers["x-request-id"].startswith("req_")
    return error


@pytest.mark.parametrize("body", [b"{", b"", b'{"model": "gpt-4o",}', b'"\xff"'])
def test_broken_json_is_refused(simulator: Running, body: Any) -> None:
    error = refusal(simulator.client.post(CHAT, content=body))
    assert "could not parse the JSON body" in error["message"]


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"messages": "Hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"role": 1, "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"model": 7}, "model"),
        ({"model": None}, "model"),
        ({"n": 0}, "n"),
        ({"n": 1.5}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"response_format": {"type": "xml"}}, "type"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"model": "gpt-4o+speed=1"}, "model"),
        ({"model": "gpt-4o+delay=soon"}, "model"),
        ({"model": "gpt-4o+tokens=1;tokens=2"}, "model"),
        ({"model": "gpt-4o+status=200"}, "model"),
    ],
)
def test_a_wrong_member_is_named(simulator: Running, members: dict[str, Any], param: str | None) -> None:
    body = {"model": "gpt-4o", "messages": MESSAGES} | members
    assert refusal(simulator.post(CHAT, body))["param"] == param


def test_an_unknown_switch_in_the_header_is_named(simulator: Running) -> None:
    error = refusal(simulator.chat(headers={"x_sim": "slowly=1"}))
    assert error["param"] == "x-sim"
    assert "slowly" in error["message"]


@pytest.mark.parametrize(
    ("path", "members", "param"),
    [
        ("/v1/responses", {"model": "gpt-4o", "input": 5}, "input"),
        ("/v1/responses", {"model": "gpt-4o"}, None),
        ("/v1/responses", {"model": "gpt-4o", "input": "Hi", "max_output_tokens": 3}, "max_output_tokens"),
        ("/v1/completions", {"model": "davinci-002", "prompt": {}}, "prompt"),
        ("/v1/completions", {"model": "davinci-002", "prompt": []}, "prompt"),
        ("/v1/embeddings", {"model": "text-embedding-3-small"}, "input"),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": ""}, "input"),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hi", "dimensions": 0}, "dimensions"),
    ],
)
def test_other_endpoints_name_what_is_wrong(
    simulator: Running, path: str, members: dict[str, Any], param: str | None
) -> None:
    assert refusal(simulator.post(path, members))["param"] == param


def test_a_missing_key_is_a_401(simulator: Running) -> None:
    response = simulator.client.post(CHAT, json={}, headers={"authorization": ""})
    assert "didn't provide an API key" in refusal(response, 401)["message"]


def test_unknown_models_are_refused_as_each_endpoint_does(simulator: Running) -> None:
    assert refusal(simulator.chat("gpt-nothing"), 404)["code"] == "model_not_found"
    error = refusal(simulator.post("/v1/responses", {"model": "gpt-nothing", "input": "Hi"}))
    assert (error["code"], error["param"]) == ("model_not_found", "model")


def test_invented_and_fine_tuned_models_are_known(simulator: Running) -> None:
    assert simulator.chat("sim-anything").json()["model"] == "sim-anything"
    assert simulator.chat("ft:gpt-4o-mini:acme::x1").status_code == 200


def test_unknown_paths_and_methods_are_told_apart(simulator: Running) -> None:
    assert refusal(simulator.post("/v1/nothing", {}), 404)["message"] == "Invalid URL (POST /v1/nothing)"
    assert refusal(simulator.client.get("/v1/embeddings"), 405)["code"] == "method_not_supported"
    assert simulator.client.delete("/v1/embeddings").status_code == 405


def test_a_large_body_is_counted_whole(simulator: Running) -> None:
    text = "The river is wide. " * 20_000
    usage = simulator.chat(messages=[{"role": "user", "content": text}]).json()["usage"]
    assert usage["prompt_tokens"] > 90_000
