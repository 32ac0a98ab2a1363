"""One operation of the API, and one call of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from billing_worker.invoicing.clerk import Clerk
from console.file import File
from ledger.archive.usage import ArchivedUsage
from ledger.callers import Caller
from ledger.database import Pool
from ledger.keys import KeyHasher
from proxy.identity.directory import Directory
from proxy.pipeline import RedisPipeline

if TYPE_CHECKING:
    from proxy.identity.tokens.trust import Trust

Access = Literal["admin", "key", "anyone"]
"""Who may: administrators; whoever holds an API key or is a member, for its own organization; everyone."""


class Input(BaseModel):
    """What comes from outside: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Input):
    """No body, no query."""


BodyT = TypeVar("BodyT", bound=BaseModel)
QueryT = TypeVar("QueryT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Services:
    """What operations work with. `trust` is None where no access tokens are accepted."""

    pool: Pool
    redis: RedisPipeline
    hasher: KeyHasher
    clock: Callable[[], datetime]
    directory: Directory
    clerk: Clerk
    trust: "Trust | None"
    archive: ArchivedUsage


@dataclass(frozen=True, slots=True)
class Call(Generic[BodyT, QueryT]):
    """A call whose caller and inputs are known to be good.

    `actor` is who the audit names. `ids` are the variables of the path. `now` is when it came.
    """

    services: Services
    actor: str
    ids: Mapping[str, str]
    body: BodyT
    query: QueryT
    now: datetime
    holder: Caller | None

    @property
    def caller(self) -> Caller:
        """Who calls an operation of one organization."""
        if self.holder is None:
            raise LookupError("this operation is not called by anyone of an organization")
        return self.holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[BodyT, QueryT]):
    """One row of the table that routes, the OpenAPI document and the docs are made from."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    summary: str
    handler: Callable[[Call[BodyT, QueryT]], Awaitable[BaseModel | File]]
    answer: Any
    body: type[BodyT]
    query: type[QueryT]
    status: int = 200
    access: Access = "admin"
    media_types: tuple[str, ...] = ("application/json",)
    """Of its answer, if that is a File."""
