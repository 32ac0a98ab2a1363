"""One endpoint of the OpenAI API, as far as a proxy that meters must know it."""

from dataclasses import dataclass
from enum import Enum


class Metering(Enum):
    """What an answer of the endpoint costs."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    POLL = "poll"
    """An answer that is worked on in the background costs once, when it is seen finished."""
    FREE = "free"
    """OpenAI charges nothing for it; it counts as a request only."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`template` is a path; `{kind}` in it is the id of an object, which must be the caller's own where OBJECTS names
    the kind.

    `output_bound` is the request's member that bounds the tokens of an answer where the caller set none; None where
    an answer has no tokens or a bound of its own. `asks_usage`: streams report usage only when asked by
    `stream_options`. `creates`: the kind of the object whose id the answer brings. `needs_model`: a body without a
    model is refused.
    """

    name: str
    method: str
    template: str
    metering: Metering = Metering.FREE
    output_bound: str | None = None
    asks_usage: bool = False
    creates: str | None = None
    needs_model: bool = False

    @property
    def takes_body(self) -> bool:
        return self.method == "POST"

    @property
    def costs(self) -> bool:
        """Whether an answer of its own costs anything."""
        return self.metering not in (Metering.FREE, Metering.POLL)


OBJECTS = frozenset({"completion", "response", "conversation"})
"""Kinds of objects that belong to the organization that created them. Ids of other kinds are parts of one of these."""
