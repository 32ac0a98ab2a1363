"""One endpoint of the OpenAI API, as far as a proxy that meters must know it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from proxy.meter.metering import Meter
from proxy.meter.meters import free


class Lists(NamedTuple):
    """How objects of a kind are listed: so many to a page where the caller doesn't say, or all at once. `shared`
    tells ids in it that are everybody's."""

    kind: str
    page: int = 20
    paged: bool = True
    shared: Callable[[str], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`meter` says what an answer used. `template` is a path; `{kind}` in it is the id of an object, which must be the
    caller's own where OBJECTS names the kind.

    `takes` is what its body is, where it has one: a form may be JSON as well; an upload is a form that passes as it
    comes, and is not kept; anything is looked into for ids alone. `output_bound` is the request's member that
    bounds the tokens of an answer where the caller set none; None where an answer has no tokens or a bound of its
    own. `asks_usage`: streams report usage only when asked by `stream_options`. `creates`: the kind of the object
    whose id the answer brings. `brings`: (path, kind) of other ids in the answer that are the caller's from then
    on; a list on the path stands for each of its elements. `needs_model`: a body without a model is refused;
    `default_model` stands for one that names none. `defers`: the kind of work (deferred.kinds) that may go on after
    its answer, and is charged when it has ended. `polls`: the kind of such work that it looks at, by the id in its
    path. `unpaced`: the provider does that work when it suits it, so it counts against the limits of the period
    alone. `lists`: its answer lists objects of all tenants, of which the caller gets its own. `opens`: its answer
    opens Realtime sessions, by a key or as a call. `priced_as`: the entry of the price list for what is made without
    a model. `stores`: what takes room upstream from then on; `frees`: the kind of the object in its path that does so
    no more, nor what is within it.
    """

    name: str
    method: str
    template: str
    meter: Meter = free
    takes: Literal["json", "form", "upload", "anything"] = "json"
    output_bound: str | None = None
    asks_usage: bool = False
    creates: str | None = None
    brings: Sequence[tuple[str, str]] = ()
    needs_model: bool = False
    default_model: str | None = None
    defers: str | None = None
    polls: str | None = None
    unpaced: bool = False
    lists: Lists | None = None
    opens: Literal["key", "call"] | None = None
    stores: Literal["file", "file_of_parts", "part", "container_file"] | None = None
    frees: str | None = None
    priced_as: str | None = None

    @property
    def takes_body(self) -> bool:
        return self.method == "POST" or self.takes == "anything"

    @property
    def costs(self) -> bool:
        """Whether an answer of its own costs anything."""
        return self.meter is not free


OBJECTS = frozenset(
    {
        "assistant",
        "batch",
        "call",
        "completion",
        "container",
        "conversation",
        "eval",
        "eval_run",
        "file",
        "fine_tuning_job",
        "model",
        "response",
        "run",
        "thread",
        "upload",
        "vector_store",
        "video",
    }
)
"""Kinds of objects that belong to the organization that created them. Ids of other kinds are parts of one of these,
and a model is everybody's unless it was fine-tuned."""
