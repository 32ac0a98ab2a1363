"""Lists of objects: the upstream lists those of all tenants, the client gets its own, paged as if there were no others.

One page for the client may take several from upstream. Where the caller's own lie far apart among those of others,
they are asked for one by one instead, as the ledger names them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

import orjson

from proxy.endpoints.endpoint import Lists
from proxy.ownership.register import nothing_with
from proxy.upstream.download import Download, DownloadError
from proxy.upstream.exchange import Sink
from proxy.upstream.failure import UpstreamFailure
from proxy.upstream.forwarding import Forwarding
from proxy.upstream.request import Header

MOST_PAGES: Final = 100
"""Pages that are read of a list with conditions of the caller's, which only the upstream can judge."""
_PAGES_BEFORE_ONE_BY_ONE: Final = 5
_AT_ONCE: Final = 10
_MOST_ONE_BY_ONE: Final = 500
_PAGE: Final = 100
_LARGEST_PAGE: Final = 32 * 1024 * 1024

Forward = Callable[[str, bytes, Sink], Forwarding]
"""Sends the request on, for the list or for the object with this id, with this query string."""
Own = Callable[[list[str]], Awaitable[set[str]]]
"""Which of these ids are the caller's. Raises Refusal when nobody can tell."""
Newest = Callable[[datetime, int], Awaitable[list[str]]]
"""So many ids of the caller's own that were there at that time, newest first."""


class _Page(NamedTuple):
    status: int
    headers: list[Header]
    body: bytes


class Listing:
    """Stands where the forwarding of any other request stands: started at once, given up by `close`."""

    def __init__(
        self,
        query: bytes,
        forward: Forward,
        own: Own,
        newest: Newest,
        sink: Sink,
        lists: Lists,
        *,
        bodiless: bool = False,
    ) -> None:
        """`bodiless`: the sink is told of the head alone, as HEAD asks."""
        self._newest = newest
        self._query = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        self._forward = forward
        self._own = own
        self._sink = sink
        self._lists = lists
        self._bodiless = bodiless
        self._limit = _count(self._query.get("limit"), lists.page)
        self._download: Download | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def upstream(self) -> str | None:
        return None if self._download is None else self._download.upstream

    @property
    def may_cost(self) -> bool:
        """A list costs nothing."""
        return False

    def close(self) -> None:
        self._task.cancel()
        if self._download is not None:
            self._download.close()

    def pause(self) -> None:
        """A page is collected whole before any of it is passed on."""

    def resume(self) -> None:
        """See `pause`."""

    async def _run(self) -> None:
        try:
            await self._collect()
        except DownloadError as failed:
            self._sink.on_failure(failed.failure)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request comes to its end
            self._sink.on_failure(
                UpstreamFailure("protocol", type(error).__name__, sent=True, response_started=False)
            )

    async def _collect(self) -> None:
        if not self._lists.paged:
            await self._collect_whole()
            return
        for name in ("after", "before"):
            if (cursor := self._query.get(name)) and not await self._own([cursor]):
                self._refuse(cursor)
                return
        query = self._query | {"limit": str(max(_PAGE, min(self._limit, 10 * _PAGE)))}
        mine: list[Mapping[str, Any]] = []
        more, listed = True, dict[str, Any]()
        for number in range(MOST_PAGES):
            page = await self._page(query)
            answered = _listed(page)
            if answered is None:
                self._pass_on(page.status, page.headers, page.body)
                return
            listed = answered
            items = _items(listed)
            mine += await self._mine(items)
            more = bool(listed.get("has_more")) and bool(items)
            if len(mine) > self._limit or not more or "before" in query:
                break
            if number >= _PAGES_BEFORE_ONE_BY_ONE and (at := self._reached(items[-1])) is not None:
                mine += await self._one_by_one(at, {item["id"] for item in mine}, self._limit + 1 - len(mine))
                break
            query = query | {"after": items[-1]["id"]}
        shown = mine[: self._limit]
        body = {
            **listed,
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": len(mine) > self._limit,
        }
        self._pass_on(page.status, page.headers, orjson.dumps(body))

    async def _collect_whole(self) -> None:
        page = await self._page(self._query)
        listed = _listed(page)
        if listed is None:
            self._pass_on(page.status, page.headers, page.body)
            return
        items = _items(listed)
        shown = await self._mine(items)
        whole = len(shown) == len(listed["data"])
        body = page.body if whole else orjson.dumps({**listed, "data": shown})
        self._pass_on(page.status, page.headers, body)

    def _reached(self, item: Mapping[str, Any]) -> datetime | None:
        """How far back the list was read; None where the ledger can't go on in its place."""
        created = item.get("created_at", item.get("created"))
        plain = (
            self._query.keys() <= {"limit", "after", "order"} and self._query.get("order", "desc") == "desc"
        )
        return datetime.fromtimestamp(created + 1, UTC) if plain and isinstance(created, int) else None

    async def _one_by_one(self, at: datetime, known: set[str], wanted: int) -> list[Mapping[str, Any]]:
        """The caller's own from `at` back; those that are gone upstream are passed over."""
        ids = [each for each in await self._newest(at, _MOST_ONE_BY_ONE) if each not in known]
        found: list[Mapping[str, Any]] = []
        while ids and len(found) < wanted:
            some, ids = ids[:_AT_ONCE], ids[_AT_ONCE:]
            for object_ in await asyncio.gather(*map(self._object, some)):
                found += [] if object_ is None else [object_]
        return found

    async def _object(self, identifier: str) -> Mapping[str, Any] | None:
        download = Download(partial(self._forward, identifier, b""))
        try:
            if await download.begun() != 200:
                return None
            told = orjson.loads(await download.whole(_LARGEST_PAGE))
        finally:
            download.close()
        return told if isinstance(told, dict) else None

    async def _mine(self, items: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those that the caller may see."""
        closed = [item["id"] for item in items if not self._lists.shared(item["id"])]
        owned = await self._own(closed) if closed else set()
        return [item for item in items if item["id"] in owned or self._lists.shared(item["id"])]

    def _refuse(self, cursor: str) -> None:
        refusal = nothing_with(cursor)
        self._pass_on(refusal.status, [(b"content-type", b"application/json")], refusal.body())

    async def _page(self, query: Mapping[str, str]) -> _Page:
        download = Download(partial(self._forward, "", urlencode(query).encode("latin-1")))
        self._download = download
        status = await download.begun()
        return _Page(status, download.headers, await download.whole(_LARGEST_PAGE))

    def _pass_on(self, status: int, headers: list[Header], body: bytes) -> None:
        headers = [header for header in headers if header[0].lower() != b"content-length"]
        self._sink.on_response(status, b"", [*headers, (b"content-length", b"%d" % len(body))])
        if not self._bodiless:
            self._sink.on_body(body)
        self._sink.on_end()


def _listed(page: _Page) -> dict[str, Any] | None:
    """The list; None for an answer that is none, such as an error."""
    if page.status != 200:
        return None
    answer = orjson.loads(page.body)
    return answer if isinstance(answer, dict) and isinstance(answer.get("data"), list) else None


def _items(listed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [item for item in listed["data"] if isinstance(item, dict) and isinstance(item.get("id"), str)]


def _count(value: str | None, default: int) -> int:
    return int(value) if value is not None and value.isdecimal() and 0 < int(value) <= 10_000 else default
