"""What a batch will come to, line by line of its input file. No I/O."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from ledger.usage import Usage
from proxy.deferred.lines import Lines, LineTooLongError
from proxy.deferred.total import Total
from proxy.endpoints.asked import Asked, understood
from proxy.endpoints.catalogue import find
from proxy.errors import Refusal
from proxy.offer import Offer
from proxy.ownership.mentions import mentioned

_MOST_LINES: Final = 50_000

Offered = Callable[[Asked], Offer]
"""What one line comes to at the batch rate. Raises Refusal for what the plan excludes."""


class BatchInput:
    """Takes an input file in any pieces; keeps no more than one line of it. Raises Refusal 400 that names the line."""

    def __init__(self, endpoint: str, offered: Offered) -> None:
        """`endpoint` as the batch names it, such as `/v1/chat/completions`."""
        match = find("POST", endpoint)
        if not match.endpoint.takes_body or match.endpoint.defers == "batch":
            raise Refusal(400, f"Batches for {endpoint[:80]} are not possible.", param="endpoint")
        self._url = endpoint
        self._endpoint = match.endpoint
        self._offered = offered
        self.mentioned: set[str] = set()
        """Ids of objects that the lines refer to."""
        self.total = Total()
        self._lines = 0
        self._split = Lines()

    def feed(self, data: bytes) -> None:
        try:
            for line in self._split.feed(data):
                self._line(line)
        except LineTooLongError:
            self._lines += 1
            raise self._wrong("is too long") from None

    def end(self) -> None:
        """All of the file was fed."""
        for line in self._split.end():
            self._line(line)
        if not self._lines:
            raise Refusal(400, "The input file of the batch has no line.", param="input_file_id")

    def _line(self, line: bytes) -> None:
        self._lines += 1
        if self._lines > _MOST_LINES:
            raise Refusal(400, f"A batch has at most {_MOST_LINES} lines.", param="input_file_id")
        body = self._body(line)
        try:
            asked = understood(self._endpoint, body)
            offer = self._offered(asked)
        except Refusal as refused:
            raise Refusal(
                refused.status,
                f"Line {self._lines} of the batch: {refused.message}",
                type=refused.type,
                code=refused.code,
                param=refused.param,
            ) from None
        self.mentioned |= mentioned(line, body)
        demand = offer.demand
        most = Usage(
            input_tokens=demand.input_tokens,
            output_tokens=demand.output,
            quantities=offer.foreseen.quantities,
        )
        self.total.add(asked.model, offer.quote, most)

    def _body(self, line: bytes) -> Mapping[str, Any]:
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise self._wrong("is not valid JSON") from None
        if not isinstance(entry, dict) or not isinstance(entry.get("body"), dict):
            raise self._wrong("has no body")
        if entry.get("url") != self._url or entry.get("method") != "POST":
            raise self._wrong(f"is not a POST to {self._url}, as the batch says")
        body: dict[str, Any] = entry["body"]
        return body

    def _wrong(self, what: str) -> Refusal:
        return Refusal(400, f"Line {max(1, self._lines)} of the batch {what}.", param="input_file_id")
