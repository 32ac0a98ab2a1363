"""One of two tenants: its calls, and whether they came through to the provider."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from tests.system import System, Tenant
from tests.wire import WireClient

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answered:
    """`reached`: the provider's own books know of the request; `answered`: they have it as answered."""

    status: int
    body: bytes
    reached: bool
    answered: bool

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Actor:
    house: System
    tenant: Tenant
    client: httpx.AsyncClient

    async def call(self, method: str, path: str, **options: Any) -> Answered:
        """`options` as httpx has them."""
        name = f"isolation-{next(_numbers)}"
        answer = await self._ask(name, method, path, options)
        return Answered(answer.status_code, answer.content, *await self._booked(name))

    async def spell(self, method: str, target: str, body: bytes | None = None) -> Answered:
        """As `call`, the request's target just as it is written here."""
        name = f"isolation-{next(_numbers)}"
        lines = [
            f"{method} {target} HTTP/1.1",
            f"host: {urlsplit(self.house.proxy_url).netloc}",
            f"authorization: Bearer {self.tenant.key}",
            f"x-client-request-id: {name}",
            "x-sim: tokens=2",
            "connection: close",
        ]
        if body is not None:
            lines += ["content-type: application/json", f"content-length: {len(body)}"]
        wire = await WireClient.connect(self.house.proxy_url)
        wire.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))
        answer = await wire.read_all()
        wire.leave()
        head, _, content = answer.partition(b"\r\n\r\n")
        return Answered(int(head.split(b" ", 2)[1]), content, *await self._booked(name))

    async def made(self, path: str, **options: Any) -> dict[str, Any]:
        """What a POST creates."""
        answer = await self._ask("isolation", "POST", path, options)
        assert answer.status_code in (200, 201), (path, answer.content)
        made: dict[str, Any] = answer.json()
        return made

    async def _ask(self, name: str, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        headers = {
            "authorization": f"Bearer {self.tenant.key}",
            "x-client-request-id": name,
            "x-sim": "tokens=2",
        }
        return await self.client.request(method, self.house.proxy_url + path, headers=headers, **options)

    async def _booked(self, name: str) -> tuple[bool, bool]:
        books = f"{self.house.upstream_url}/simulator/books"
        report = (await self.client.get(books, params={"client_request_id": name})).json()
        entries = report["requests"]
        return bool(entries), any(entry["ended"] == "complete" for entry in entries)
