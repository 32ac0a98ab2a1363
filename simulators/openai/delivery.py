"""Sends an answer as the switches wish, and writes into the books what really left."""

import gzip
from collections.abc import Iterator
from itertools import islice

from simulators.openai.answers import Event, Stream, Usage, Whole
from simulators.openai.books import Books, OpenEntry
from simulators.openai.errors import Headers, server_error_message
from simulators.openai.exchange import Exchange
from simulators.openai.switches import Switches

_PING = b": ping\n\n"
_LARGE = 262_144  # bytes


class Delivery:
    def __init__(
        self, exchange: Exchange, opened: OpenEntry, books: Books, switches: Switches, headers: Headers
    ) -> None:
        self._exchange = exchange
        self._opened = opened
        self._entry = opened.entry
        self._books = books
        self._switches = switches
        self._headers = headers
        self._is_events = True

    async def whole(self, answer: Whole) -> None:
        """Cut and hang take effect before the first byte (0) or in the middle of the body."""
        exchange, switches, status = self._exchange, self._switches, answer.status
        await exchange.pause(switches.delay / 1000)
        if await self._ends_before_start():
            return
        body = gzip.compress(answer.body, compresslevel=1) if switches.gzip else answer.body
        headers = [*self._headers, *answer.headers]
        headers.append((b"content-type", answer.content_type.encode()))
        headers.append((b"content-length", b"%d" % len(body)))
        if switches.gzip:
            headers.append((b"content-encoding", b"gzip"))
        await self._start(status, headers, streamed=len(body) > _LARGE)
        self._book_prompt(answer.usage.prompt, answer.usage.cached)
        if switches.cut is not None or switches.hang is not None:
            await exchange.write(bytes(body[: len(body) // 2]), more=True)
            await self._end_early()
            return
        for place in range(0, len(body), _LARGE):
            # A slice is what a slow client makes us hold twice, not the whole.
            await exchange.write(bytes(body[place : place + _LARGE]), more=place + _LARGE < len(body))
        if not body:
            await exchange.write(b"", more=False)
        self._book_rest(answer.usage)
        self._opened.close("complete" if status < 400 else "error")

    async def stream(self, answer: Stream) -> None:
        self._books.open_streams += 1
        try:
            await self._streamed(answer)
        finally:
            self._books.open_streams -= 1

    async def _streamed(self, answer: Stream) -> None:
        exchange, switches = self._exchange, self._switches
        await exchange.pause(switches.delay / 1000)
        if await self._ends_before_start():
            return
        headers = [*self._headers, (b"content-type", answer.content_type.encode())]
        self._is_events = answer.content_type.startswith("text/event-stream")
        await self._start(200, headers, streamed=True)
        if not answer.books_itself:
            self._book_prompt(answer.usage.prompt, answer.usage.cached)
        limit = _first_of(switches.cut, switches.hang, switches.error_event)
        written, is_whole = await self._write_events(iter(answer.events), limit)
        if is_whole:
            # Reasoning is in no event: it counts as served when its usage may be charged.
            if not answer.books_itself:
                self._book_rest(answer.usage)
            self._opened.close("complete")
        elif limit == switches.error_event:
            failure = answer.failure(written, server_error_message(self._entry.request_id))
            await exchange.write(self._line_ends(failure), more=False)
            self._opened.close("error")
        else:
            await self._end_early()

    async def _write_events(self, events: Iterator[Event], limit: int | None) -> tuple[int, bool]:
        """Writes at most `limit` events; returns how many, and whether the answer ended before the limit.

        The last event leaves together with the end of the body: some clients wait for no more.
        """
        switches, written = self._switches, 0

        def take() -> list[Event]:
            size = switches.chunks_per_write
            return list(islice(events, size if limit is None else min(size, limit - written)))

        batch = take()
        while batch:
            data = b"".join([self._with_comment(written + n, event.data) for n, event in enumerate(batch)])
            tokens = sum([event.tokens for event in batch])
            written += len(batch)
            batch = take()
            ends = not batch and (limit is None or written < limit)
            await self._exchange.write(self._line_ends(data), more=not ends)
            self._entry.completion_tokens_served += tokens
            if batch:
                await self._exchange.pause(switches.pace / 1000)
        return written, limit is None or written < limit

    def _with_comment(self, index: int, data: bytes) -> bytes:
        return (
            _PING + data
            if self._is_events and self._switches.comment and index % self._switches.comment == 0
            else data
        )

    def _line_ends(self, data: bytes) -> bytes:
        # JSON texts hold no bare line feeds, so every one ends a line.
        return data.replace(b"\n", b"\r\n") if self._switches.crlf and self._is_events else data

    async def _start(self, status: int, headers: Headers, *, streamed: bool) -> None:
        self._entry.status = status
        await self._exchange.start(status, headers, streamed=streamed)

    def _book_prompt(self, prompt: int, cached: int) -> None:
        self._entry.prompt_tokens = prompt
        self._entry.cached_tokens = cached

    def _book_rest(self, usage: Usage) -> None:
        entry = self._entry
        entry.completion_tokens_served, entry.reasoning_tokens = usage.completion, usage.reasoning
        entry.images, entry.seconds = usage.images, usage.seconds
        entry.characters, entry.tool_calls = usage.characters, usage.tool_calls

    async def _ends_before_start(self) -> bool:
        if 0 not in (self._switches.cut, self._switches.hang):
            return False
        await self._end_early()
        return True

    async def _end_early(self) -> None:
        if self._switches.cut is not None and self._switches.cut == _first_of(
            self._switches.cut, self._switches.hang
        ):
            self._opened.close("cut")
            await self._exchange.cut()
            return
        await self._exchange.hang()


def _first_of(*places: int | None) -> int | None:
    return min((place for place in places if place is not None), default=None)
