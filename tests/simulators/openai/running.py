"""What the tests hold of a simulator that runs."""

import time
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Running:
    """A client of one simulator. Entries are waited for by name, so that no test sleeps to be right."""

    url: str
    client: httpx.Client

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        return self.client.post(path, json=body, headers=self._dashed(headers))

    def chat(self, model: str = "gpt-4o-mini", **members: Any) -> httpx.Response:
        headers = members.pop("headers", {})
        messages = members.pop("messages", [{"role": "user", "content": "Say something"}])
        return self.post("/v1/chat/completions", {"model": model, "messages": messages} | members, **headers)

    def books(self, **wanted: str) -> dict[str, Any]:
        report: dict[str, Any] = self.client.get("/simulator/books", params=wanted).json()
        return report

    def entry(self, client_request_id: str) -> dict[str, Any]:
        """The entry of a request, once it has ended."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = self.books(client_request_id=client_request_id)["requests"]
            if found and found[0]["ended"] is not None:
                entry: dict[str, Any] = found[0]
                return entry
            time.sleep(0.01)
        raise AssertionError(f"{client_request_id} did not end: {found}")

    @staticmethod
    def _dashed(headers: dict[str, str]) -> dict[str, str]:
        return {name.replace("_", "-"): value for name, value in headers.items()}
