"""Every way in which a request fails, as an answer in OpenAI's shape."""

from asyncpg import DataError
from pydantic import ValidationError

from billing_worker.invoicing.press import UnlawfulError
from ledger.archive.store import ArchiveUnavailable
from ledger.database import DatabaseUnavailable
from ledger.errors import BadReferenceError, ConflictError, LedgerError, NotFoundError, PlanLimitError
from proxy.errors import Refusal, unavailable
from proxy.pipeline import RedisReplyError, RedisUnavailable

_NAME_LENGTH = 100
_LEDGER: tuple[tuple[type[LedgerError], int, str], ...] = (
    (NotFoundError, 404, "not_found"),
    (ConflictError, 409, "conflict"),
    (BadReferenceError, 400, "invalid_reference"),
    (PlanLimitError, 403, "plan_limit_reached"),
)


def refusal_of(error: Exception) -> Refusal | None:
    """What to answer to `error`; None for what is a fault of ours."""
    match error:
        case Refusal():
            return error
        case LedgerError():
            return _of_ledger(error)
        case ValidationError():
            return invalid(error)
        case UnlawfulError():
            message = f"the document would break rules that it must keep: {error}"
            return Refusal(409, message, code="unlawful_document")
        case DatabaseUnavailable():
            return unavailable("the database does not answer; try again soon", "database_unavailable")
        case ArchiveUnavailable():
            return unavailable(str(error), "archive_unavailable")
        case RedisUnavailable() | RedisReplyError():
            return unavailable("Redis does not answer; try again soon", "redis_unavailable")
        case DataError():
            # Behind the checks of the models: what Postgres itself cannot store.
            return Refusal(400, "a value cannot be stored", code="invalid_value")
    return None


def _of_ledger(error: LedgerError) -> Refusal:
    message = error.message if error.param is None else f"'{error.param}': {error.message}"
    for kind, status, code in _LEDGER:
        if isinstance(error, kind):
            return Refusal(status, message, code=code, param=error.param)
    return Refusal(400, message, param=error.param)


def invalid(error: ValidationError) -> Refusal:
    """400 that names the first field at fault; unknown fields before bad values."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    first = next((detail for detail in found if detail["type"] == "extra_forbidden"), found[0])
    param = ".".join(str(part)[:_NAME_LENGTH] for part in first["loc"]) or None
    if param is None:
        return Refusal(400, "the body must be a JSON object", code="invalid_body")
    if first["type"] == "extra_forbidden":
        return Refusal(400, f"there is no field '{param}'", code="unknown_field", param=param)
    if first["type"] == "missing":
        return Refusal(400, f"'{param}' is missing", code="missing_field", param=param)
    message = first["msg"].removeprefix("Value error, ")
    return Refusal(400, f"'{param}': {message[:1].lower()}{message[1:]}", code="invalid_value", param=param)


def not_found(path: str) -> Refusal:
    return Refusal(404, f"there is nothing at {path[:_NAME_LENGTH]}", code="unknown_url")


def method_not_allowed(method: str, allowed: list[str]) -> Refusal:
    return Refusal(
        405,
        f"{method[:_NAME_LENGTH]} is not possible here, only {', '.join(allowed)}",
        code="method_not_allowed",
        headers=((b"allow", ", ".join(allowed).encode()),),
    )


def fault() -> Refusal:
    """Something is wrong with us; the log knows what."""
    return Refusal(500, "something went wrong on our side", type="server_error", code="internal_error")
