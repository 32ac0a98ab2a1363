"""How an admitted request goes on to its upstream: as it is, page by page of a list, or to open a session."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from proxy.house import House
from proxy.offer import body_for
from proxy.ownership.listing import Listing
from proxy.realtime.opening import Opening
from proxy.relay.asgi import Scope
from proxy.relay.inflow import Inflow
from proxy.ticket import Ticket
from proxy.upstream.exchange import Sink
from proxy.upstream.forwarding import Forwarding
from proxy.upstream.request import Body, Streamed

Exchange = Forwarding | Listing | Opening


@dataclass(frozen=True, slots=True)
class Sending:
    """Of one call. `inflow` is its body where that passes as it comes."""

    house: House
    ticket: Ticket
    scope: Scope
    inflow: Inflow | None

    def begin(self, granted: int, sink: Sink) -> tuple[Exchange, bool]:
        """What carries it, and whether a usage chunk was asked for that its client did not want. What comes is told to
        `sink`, never before this returns. `granted`: output tokens that the answer may have."""
        ticket, scope = self.ticket, self.scope
        asked = ticket.asked
        if asked.endpoint.lists:
            return Listing(
                scope["query_string"],
                self._query,
                self._own,
                self._newest,
                sink,
                asked.endpoint.lists,
                bodiless=scope["method"] == "HEAD",
            ), False
        if asked.endpoint.opens is not None:
            return Opening(self.house, ticket, self._opening, sink), False
        body: Body = None
        asks_usage = False
        if self.inflow is not None:
            body = Streamed(self.inflow, self.inflow.length)
        elif asked.endpoint.takes_body:
            body, asks_usage = body_for(asked, granted, ticket.offer.demand)
        return self.house.route.forward(scope, asked, body, ticket.ways, sink), asks_usage

    def _opening(self, sink: Sink) -> Forwarding:
        asked, given = self.ticket.asked, self.ticket.given
        secret = None if given is None else given.secret
        return self.house.route.forward(self.scope, asked, asked.body, self.ticket.ways, sink, secret)

    def _query(self, identifier: str, query: bytes, sink: Sink) -> Forwarding:
        path = self.scope["raw_path"].partition(b"?")[0]
        if identifier:
            path += b"/" + quote(identifier, safe="").encode()
        scope = {**self.scope, "method": "GET", "raw_path": path, "query_string": query}
        return self.house.route.forward(scope, self.ticket.asked, None, self.ticket.ways, sink)

    async def _own(self, ids: list[str]) -> set[str]:
        ticket = self.ticket
        return set(await self.house.register.owned(ticket.principal, ticket.project_id, ids))

    async def _newest(self, before: datetime, most: int) -> list[str]:
        ticket = self.ticket
        lists = ticket.asked.endpoint.lists
        assert lists is not None
        register = self.house.register
        return await register.newest(ticket.principal, ticket.project_id, lists.kind, before, most)
