"""One endpoint of the OpenAI API, as far as a proxy that meters must know it."""

from dataclasses import dataclass

from proxy.meter.metering import Meter
from proxy.meter.meters import free


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`meter` says what an answer used. `template` is a path; `{kind}` in it is the id of an object, which must be the
    caller's own where OBJECTS names the kind.

    `output_bound` is the request's member that bounds the tokens of an answer where the caller set none; None where
    an answer has no tokens or a bound of its own. `asks_usage`: streams report usage only when asked by
    `stream_options`. `creates`: the kind of the object whose id the answer brings. `needs_model`: a body without a
    model is refused. `polls`: it looks at an answer that may be worked on in the background. `lists`: its
    answer lists objects of all tenants, of which the caller gets its own.
    """

    name: str
    method: str
    template: str
    meter: Meter = free
    output_bound: str | None = None
    asks_usage: bool = False
    creates: str | None = None
    needs_model: bool = False
    polls: bool = False
    lists: bool = False

    @property
    def takes_body(self) -> bool:
        return self.method == "POST"

    @property
    def costs(self) -> bool:
        """Whether an answer of its own costs anything."""
        return self.meter is not free


OBJECTS = frozenset({"completion", "response", "conversation"})
"""Kinds of objects that belong to the organization that created them. Ids of other kinds are parts of one of these."""
