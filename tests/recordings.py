"""Recorded traffic of the real OpenAI: what was sent, what was answered, and what it used."""

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "openai-traffic.jsonl.gz"
POSTED = ("/chat/completions", "/completions", "/responses", "/embeddings")
TOKENS = {
    "input_tokens": ("prompt_tokens", "input_tokens"),
    "cached_input_tokens": ("prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens"),
    "cache_write_tokens": (
        "prompt_tokens_details.cache_write_tokens",
        "input_tokens_details.cache_write_tokens",
    ),
    "audio_input_tokens": ("prompt_tokens_details.audio_tokens", "input_tokens_details.audio_tokens"),
    "image_input_tokens": ("prompt_tokens_details.image_tokens", "input_tokens_details.image_tokens"),
    "output_tokens": ("completion_tokens", "output_tokens"),
    "reasoning_tokens": (
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
    ),
    "audio_output_tokens": ("completion_tokens_details.audio_tokens", "output_tokens_details.audio_tokens"),
    "image_output_tokens": ("completion_tokens_details.image_tokens", "output_tokens_details.image_tokens"),
}
FORMS: dict[str, Callable[[str], str]] = {
    "crlf": lambda stream: stream.replace("\n", "\r\n"),
    "comments": lambda stream: re.sub("^data:", ": ping\n\ndata:", stream, flags=re.MULTILINE),
    "without the last blank line": str.rstrip,
    "without [DONE]": lambda stream: stream.rstrip().removesuffix("data: [DONE]").rstrip(),
}
"""What was not recorded, but may come."""


@dataclass(frozen=True)
class Recording:
    """One recorded call. `path` is where OpenAI has it: Azure's deployments and versions are left out."""

    id: str
    method: str
    path: str
    sent: bytes
    status: int
    headers: dict[str, str]
    answered: bytes
    usage: dict[str, Any] | None
    content_type: str = "application/json"
    query: str = ""

    @cached_property
    def request(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.sent) if self.sent else {}
        return decoded

    @property
    def asks_usage(self) -> bool:
        options = self.request.get("stream_options") or {}
        return bool(self.request.get("stream") and options.get("include_usage"))

    @property
    def expected(self) -> bytes:
        """The recorded answer, without the usage that OpenAI sends to those only who ask for it."""
        return unasked_for(self.answered) if self.is_chat_stream and not self.asks_usage else self.answered

    @property
    def goes_on(self) -> bool:
        """Whether the answer says that it is worked on in the background."""
        return self.request.get("background") is True and b'"usage": null' in self.answered

    @property
    def is_chat_stream(self) -> bool:
        return self.path.endswith("/completions") and bool(self.request.get("stream"))


def recordings() -> list[Recording]:
    """Those of our endpoints, of OpenAI and of Azure."""
    found = []
    for line in gzip.decompress(CORPUS.read_bytes()).splitlines():
        row = json.loads(line)
        method, path = row["method"], _path(row["endpoint"])
        if (method, path) != ("GET", "/v1/models") and not (
            (method == "GET" and re.fullmatch("/v1/models/[^/]+", path))
            or (method == "POST" and path.removeprefix("/v1") in POSTED)
        ):
            continue
        assert not row["request_body_b64"]
        assert not row["response_body_b64"]
        found.append(
            Recording(
                row["id"],
                method,
                path,
                row["request_body"].encode(),
                row["response_status"],
                row["response_headers"],
                row["response_body"].encode(),
                row["usage"],
            )
        )
    return found


def others() -> list[Recording]:
    """All else, where and as it was sent."""
    own = {recording.id for recording in recordings()}
    return [
        Recording(
            row["id"],
            row["method"],
            row["endpoint"],
            _bytes(row["request_body"], row["request_body_b64"]),
            row["response_status"],
            row["response_headers"],
            _bytes(row["response_body"], row["response_body_b64"]),
            row["usage"],
            row["request_headers"].get("content-type", "application/json"),
            row["query"] or "",
        )
        for row in map(json.loads, gzip.decompress(CORPUS.read_bytes()).splitlines())
        if row["id"] not in own
    ]


def _bytes(text: str, is_base64: bool) -> bytes:
    return base64.b64decode(text) if is_base64 else text.encode()


def _path(endpoint: str) -> str:
    """`/openai/deployments/NAME/chat/completions` and the like, as OpenAI has it."""
    return re.sub(r"^/+(openai/deployments/[^/]+/|openai/v1/|v1/)?", "/v1/", endpoint)


def in_form(recording: Recording, form: str) -> Recording:
    """The recording as if its stream had come in one of FORMS."""
    answered = FORMS[form](recording.answered.decode()).encode()
    return replace(recording, id=f"{recording.id}:{form}", answered=answered)


def write_replay(file: Path, further: Iterable[Recording]) -> None:
    """A file for the simulator: all that was recorded, and `further` streams."""
    rows = [
        {
            "id": each.id,
            "method": each.method,
            "endpoint": each.path,
            "model": each.request["model"],
            "stream": True,
            "request_body": "",
            "request_body_b64": False,
            "response_status": each.status,
            "response_headers": each.headers,
            "response_body": each.answered.decode(),
            "response_body_b64": False,
            "usage": each.usage,
        }
        for each in further
    ]
    file.write_bytes(gzip.decompress(CORPUS.read_bytes()) + "\n".join(map(json.dumps, rows)).encode())


def told(usage: dict[str, Any]) -> dict[str, int]:
    """The recorded usage by the names of our columns."""

    def count(*places: str) -> int:
        for place in places:
            value: Any = usage
            for step in place.split("."):
                value = (value or {}).get(step)
            if value is not None:
                return int(value)
        return 0

    return {name: count(*places) for name, places in TOKENS.items()}


def unasked_for(answered: bytes) -> bytes:
    """What OpenAI would have streamed unasked: no chunk with nothing but usage, no member `usage`."""
    kept = []
    for event in re.split(r"(?<=\n\n)|(?<=\r\n\r\n)", answered.decode()):
        chunk = json.loads(event[6:]) if event.startswith("data: {") else {}
        if chunk.get("usage") and chunk["choices"] == []:
            continue
        if "usage" in chunk:
            # In a string the quotation marks would be escaped.
            found = re.search(r',\s*"usage"\s*:\s*', event)
            assert found is not None
            _, end = json.JSONDecoder().raw_decode(event, found.end())
            event = event[: found.start()] + event[end:]
        kept.append(event)
    return "".join(kept).encode()
