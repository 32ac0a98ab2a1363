"""A call over HTTP that opens sessions: its answer is collected, and changed or acted on before the client has it."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from proxy.endpoints.realtime import session_of, transcribes
from proxy.house import House
from proxy.identity.ephemeral import Pass
from proxy.realtime.attendant import Attendant
from proxy.realtime.keys import Unreadable, replaced
from proxy.ticket import Ticket
from proxy.upstream.download import Download, DownloadError
from proxy.upstream.exchange import Sink
from proxy.upstream.failure import UpstreamFailure
from proxy.upstream.forwarding import Forwarding
from proxy.upstream.request import Header

_LARGEST_ANSWER: Final = 1024 * 1024
_log = structlog.get_logger(__name__)


class Opening:
    """Stands where the forwarding of any other request stands: started at once, given up by `close`."""

    may_cost = False

    def __init__(
        self, house: House, ticket: Ticket, forward: Callable[[Sink], Forwarding], sink: Sink
    ) -> None:
        self._house = house
        self._ticket = ticket
        self._sink = sink
        self._download = Download(forward)
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def upstream(self) -> str | None:
        return self._download.upstream

    def close(self) -> None:
        self._task.cancel()
        self._download.close()

    def pause(self) -> None:
        """The answer is collected whole before any of it is passed on."""

    def resume(self) -> None:
        """See `pause`."""

    async def _run(self) -> None:
        try:
            status = await self._download.begun()
            body = await self._download.whole(_LARGEST_ANSWER)
            call = self._call_of(self._download.headers) if 200 <= status < 300 else None
            if 200 <= status < 300 and self._ticket.asked.endpoint.opens == "key":
                body = replaced(body, self._sealed)
        except DownloadError as failed:
            self._sink.on_failure(failed.failure)
            return
        except (Unreadable, ValueError) as error:
            _log.warning("an answer that opens sessions can't be passed on", reason=str(error)[:100])
            self._sink.on_failure(UpstreamFailure("protocol", "", sent=True, response_started=False))
            return
        if call:
            # Before the client knows the call, it is the client's, and attended to.
            Attendant.begin(self._house, self._ticket, call, self._download.upstream)
        headers = [header for header in self._download.headers if header[0].lower() != b"content-length"]
        self._sink.on_response(status, b"", [*headers, (b"content-length", b"%d" % len(body))])
        self._sink.on_body(body)
        self._sink.on_end()

    def _sealed(self, secret: str, expires_at: int) -> str:
        ticket = self._ticket
        principal = ticket.principal
        return self._house.seal.seal(
            Pass(
                principal.organization_id,
                principal.key_id,
                principal.member_id,
                ticket.project_id,
                self._download.upstream,
                secret,
                ticket.asked.model,
                transcribes(session_of(ticket.asked.request))
                or ticket.asked.endpoint.name == "realtime.transcription_sessions",
                expires_at,
            )
        )

    def _call_of(self, headers: list[Header]) -> str | None:
        """The call that is there now: the one in the path, or in the answer's Location."""
        if self._ticket.asked.endpoint.opens != "call":
            return None
        if "call" in self._ticket.ids:
            return self._ticket.ids["call"]
        place = next((value for name, value in headers if name.lower() == b"location"), b"")
        call = place.rstrip(b"/").rpartition(b"/")[2].partition(b"?")[0]
        if not call.isalnum() and not call.replace(b"_", b"").replace(b"-", b"").isalnum():
            raise Unreadable("a call without a place")
        return call.decode("ascii")
