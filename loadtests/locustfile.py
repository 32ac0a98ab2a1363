"""Mixed traffic on a running proxy: short calls, streams, embeddings. README.md beside this file says how to run it.

A refusal at a limit (429) is an answer like any other here; what counts as a failure is a call that was neither
answered nor refused, or an answer that is not whole.
"""

import os
import random
from typing import Any

from locust import FastHttpUser, constant_pacing, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

MODEL = "gpt-4o-mini"
QUESTIONS = (
    "What is the capital of France?",
    "Tell me a short story.",
    "Name three rivers.",
    "Why is the sky blue?",
)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_arguments(parser: LocustArgumentParser) -> None:
    parser.add_argument(
        "--key", default=os.environ.get("LOAD_KEY", ""), help="API key; or LOAD_KEY", is_secret=True
    )
    parser.add_argument("--model", default=MODEL, help="what to ask")


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def need_a_key(environment: Environment, **_: Any) -> None:
    if environment.parsed_options is None or not environment.parsed_options.key:
        raise SystemExit("an API key is needed: --key or LOAD_KEY")


class Client(FastHttpUser):
    """One program that calls about once a second."""

    wait_time = constant_pacing(1)
    network_timeout = 30

    def on_start(self) -> None:
        options = self.environment.parsed_options
        assert options is not None
        self.model: str = options.model
        self.headers = {"Authorization": f"Bearer {options.key}"}

    @task(6)
    def call(self) -> None:
        with self._post("/v1/chat/completions", self._chat(), "call") as answer:
            if answer.status_code == 200 and "usage" not in answer.json():
                answer.failure("an answer without usage")

    @task(3)
    def stream(self) -> None:
        body = self._chat() | {"stream": True}
        with self._post("/v1/chat/completions", body, "stream") as answer:
            if answer.status_code == 200 and not answer.content.rstrip().endswith(b"data: [DONE]"):
                answer.failure("a stream without its end")

    @task(2)
    def embed(self) -> None:
        body = {"model": "text-embedding-3-small", "input": random.choice(QUESTIONS)}
        with self._post("/v1/embeddings", body, "embeddings") as answer:
            if answer.status_code == 200 and not answer.json()["data"]:
                answer.failure("no embedding")

    def _chat(self) -> dict[str, Any]:
        question = random.choice(QUESTIONS)
        return {"model": self.model, "messages": [{"role": "user", "content": question}], "max_tokens": 64}

    def _post(self, path: str, body: dict[str, Any], name: str) -> Any:
        context = self.client.post(path, json=body, headers=self.headers, name=name, catch_response=True)
        return _Judged(context)


class _Judged:
    """The answer of a call: a refusal at a limit is a success, any other error a failure."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __enter__(self) -> Any:
        answer = self._context.__enter__()
        if answer.status_code == 429:
            answer.success()
        elif answer.status_code != 200:
            answer.failure(f"status {answer.status_code}")
        return answer

    def __exit__(self, *error: object) -> Any:
        return self._context.__exit__(*error)
