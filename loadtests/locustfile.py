"""Mixed traffic on a running proxy, and whether it did well. README.md beside this file says how to run it.

A refusal at a limit (429, or 402 for money) is an answer like any other here, if it is shaped as OpenAI's; and what is
wrong must be refused. A failure is a call that was neither answered nor refused so, or an answer that is not whole.
"""

import os
import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from locust import FastHttpUser, constant_pacing, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser

MODEL = "gpt-4o-mini"
QUESTIONS = (
    "What is the capital of France?",
    "Tell me a short story.",
    "Name three rivers.",
    "Why is the sky blue?",
)
STORM = 30
"""Calls that one user of the storm makes at once."""
LIMITS = {429: {"rate_limit_exceeded", "insufficient_quota"}, 402: {"insufficient_quota"}}


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_arguments(parser: LocustArgumentParser) -> None:
    def add(option: str, variable: str, default: str, text: str, **more: Any) -> None:
        kept = os.environ.get(variable, default)
        parser.add_argument(option, default=kept, help=f"{text}; or {variable}", **more)

    add("--key", "LOAD_KEY", "", "API key", is_secret=True)
    add(
        "--storm-key",
        "LOAD_STORM_KEY",
        "",
        "API key whose limits are stormed; none, no storm",
        is_secret=True,
    )
    add("--model", "LOAD_MODEL", MODEL, "what to ask")
    add("--max-failures", "LOAD_MAX_FAILURES", "0.001", "share of calls that may fail", type=float)
    add(
        "--max-p95",
        "LOAD_MAX_P95",
        "0",
        "ms that 95 %% of calls may take, streams left out; 0: any",
        type=float,
    )


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def need_a_key(environment: Environment, **_: Any) -> None:
    if environment.parsed_options is None or not environment.parsed_options.key:
        raise SystemExit("an API key is needed: --key or LOAD_KEY")


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def judge(environment: Environment, **_: Any) -> None:
    """The exit code says whether it did well enough."""
    options: Any = environment.parsed_options
    total = environment.stats.total
    calls = environment.stats.get("call", "POST")
    found = []
    if not total.num_requests:
        found.append("nothing was called")
    if total.fail_ratio > options.max_failures:
        found.append(f"{total.fail_ratio:.2%} of all calls failed; {options.max_failures:.2%} may")
    slow = calls.get_response_time_percentile(0.95) or 0
    if options.max_p95 and slow > options.max_p95:
        found.append(f"95 % of calls took up to {slow:.0f} ms; {options.max_p95:.0f} ms are allowed")
    for each in found:
        print(f"not well: {each}")  # noqa: T201 - for who watches it
    environment.process_exit_code = 1 if found else 0


class Client(FastHttpUser):
    """A program that calls about once a second."""

    abstract = True
    wait_time = constant_pacing(1)
    network_timeout = 30

    def on_start(self) -> None:
        self.options: Any = self.environment.parsed_options
        self.headers = {"Authorization": f"Bearer {self.options.key}"}

    @contextmanager
    def asking(self, method: str, path: str, name: str, **request: Any) -> Iterator[Any]:
        """An answer, failed unless it is a success or a refusal at a limit."""
        headers = self.headers | request.pop("headers", {})
        context = self.client.request(
            method, path, name=name, headers=headers, catch_response=True, **request
        )
        with context as answer:
            if answer.status_code in LIMITS:
                self.refused(answer, {answer.status_code}, LIMITS[answer.status_code])
            elif answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
            else:
                answer.success()
            yield answer

    def refused(self, answer: Any, statuses: Collection[int], codes: Collection[str | None] = ()) -> None:
        """Success only if it is a refusal as OpenAI shapes it."""
        try:
            error = answer.json()["error"]
            shaped = bool(error["message"]) and "type" in error and (not codes or error["code"] in codes)
        except (ValueError, KeyError, TypeError):
            shaped = False
        if answer.status_code in statuses and shaped:
            answer.success()
        else:
            answer.failure(f"status {answer.status_code} is not the refusal that was due")

    def chat(self, **more: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": random.choice(QUESTIONS)}]
        return {"model": self.options.model, "messages": messages, "max_tokens": 64, **more}


class Program(Client):
    """What most clients do."""

    weight = 8

    @task(6)
    def call(self) -> None:
        with self.asking("POST", "/v1/chat/completions", "call", json=self.chat()) as answer:
            if answer.status_code == 200 and "usage" not in answer.json():
                answer.failure("an answer without usage")

    @task(3)
    def stream(self) -> None:
        with self.asking("POST", "/v1/chat/completions", "stream", json=self.chat(stream=True)) as answer:
            if answer.status_code == 200 and not answer.content.rstrip().endswith(b"data: [DONE]"):
                answer.failure("a stream without its end")

    @task(2)
    def embed(self) -> None:
        body = {"model": "text-embedding-3-small", "input": random.choice(QUESTIONS)}
        with self.asking("POST", "/v1/embeddings", "embeddings", json=body) as answer:
            if answer.status_code == 200 and not answer.json()["data"]:
                answer.failure("no embedding")

    @task(2)
    def respond(self) -> None:
        body = {"model": self.options.model, "input": random.choice(QUESTIONS), "max_output_tokens": 64}
        with self.asking("POST", "/v1/responses", "responses", json=body | {"store": False}) as answer:
            if answer.status_code == 200 and "usage" not in answer.json():
                answer.failure("an answer without usage")


class Keeper(Client):
    """A program that keeps files: what it uploads it gets back, and deletes."""

    weight = 1

    @task
    def keep(self) -> None:
        content = random.randbytes(2048).hex().encode()
        boundary = random.randbytes(12).hex()
        part = f"--{boundary}\r\nContent-Disposition: form-data; name="
        head = f'{part}"purpose"\r\n\r\nuser_data\r\n{part}"file"; filename="kept.txt"\r\n'
        body = (
            f"{head}Content-Type: text/plain\r\n\r\n".encode() + content + f"\r\n--{boundary}--\r\n".encode()
        )
        form = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        with self.asking("POST", "/v1/files", "file: upload", data=body, headers=form) as answer:
            made = answer.json()["id"] if answer.status_code == 200 else None
        if made is None:
            return
        with self.asking("GET", f"/v1/files/{made}/content", "file: read") as answer:
            if answer.status_code == 200 and answer.content != content:
                answer.failure("another file than was uploaded")
        with self.asking("DELETE", f"/v1/files/{made}", "file: delete"):
            pass


class Mistaken(Client):
    """Whoever gets it wrong is told so, and nothing breaks."""

    weight = 1

    @task
    def without_a_known_key(self) -> None:
        headers = {"Authorization": f"Bearer sk-tk-{random.randbytes(16).hex()}"}
        with self.asking(
            "POST", "/v1/chat/completions", "wrong: key", json=self.chat(), headers=headers
        ) as answer:
            self.refused(answer, {401})

    @task
    def no_json(self) -> None:
        headers = {"Content-Type": "application/json"}
        with self.asking(
            "POST", "/v1/chat/completions", "wrong: body", data=b'{"model', headers=headers
        ) as answer:
            self.refused(answer, {400, 429})

    @task
    def nowhere(self) -> None:
        with self.asking("POST", "/v1/nowhere", "wrong: path", json={}) as answer:
            self.refused(answer, {404})


class Storm(Client):
    """Far more at once than the key's plan allows: each is answered or refused, and none waits for long."""

    fixed_count = 1
    wait_time = constant_pacing(3)

    def on_start(self) -> None:
        super().on_start()
        if not self.options.storm_key:
            raise StopUser
        self.headers = {"Authorization": f"Bearer {self.options.storm_key}"}

    @task
    def storm(self) -> None:
        gevent.joinall([gevent.spawn(self._call) for _ in range(STORM)], timeout=self.network_timeout)

    def _call(self) -> None:
        with self.asking("POST", "/v1/chat/completions", "storm", json=self.chat()):
            pass
