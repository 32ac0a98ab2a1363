"""The form of a usage record in the Redis stream: one JSON object, versioned, read strictly."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter, itemgetter
from types import NoneType
from typing import Any, Final, TypeVar

import orjson

from ledger.storage import Freed, Stored
from ledger.usage import TOKENS, Usage
from ledger.usage_record import Outcome, UsageRecord, UsageSource, part_for_tokens

T = TypeVar("T")

_VERSION: Final = 1
_OF_TOKENS: Final = "price_nano_tokens"
_PLAIN: Final = tuple(
    field.name
    for field in fields(UsageRecord)
    if field.name not in ("occurred_at", "usage", "usd_per_eur", "objects", "stored", "freed", _OF_TOKENS)
)
_PLAIN_OF: Final = itemgetter(*_PLAIN)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTS: Final = attrgetter(*TOKENS)
NAMES: Final = (*_PLAIN, _OF_TOKENS, "occurred_at", "usd_per_eur")
"""Of a record's members, those that are plain values."""


class UnreadableRecord(ValueError):
    """The bytes are not a usage record of a version known here. Says why."""


class Stem:
    """What all records of one call say alike, written once: a call writes a draft and a record, and this way each takes
    half of what writing a UsageRecord does."""

    __slots__ = ("_text",)

    def __init__(
        self,
        *,
        request_id: str,
        organization_id: str,
        project_id: str | None,
        key_id: str | None,
        member_id: str | None,
        endpoint: str,
        model: str,
        stream: bool,
        currency: str,
        usd_per_eur: Decimal,
        price_ref: str | None,
        search_term: str | None,
    ) -> None:
        self._text = orjson.dumps(
            {
                "v": _VERSION,
                "request_id": request_id,
                "organization_id": organization_id,
                "project_id": project_id,
                "key_id": key_id,
                "member_id": member_id,
                "endpoint": endpoint,
                "model": model,
                "stream": stream,
                "currency": currency,
                "usd_per_eur": str(usd_per_eur),
                "price_ref": price_ref,
                "search_term": search_term,
            }
        )[:-1]

    def record(
        self,
        *,
        occurred_at_us: int,
        upstream: str,
        status: int,
        outcome: Outcome,
        usage: Usage,
        source: UsageSource,
        cost_nano_usd: int,
        cost_nano_eur: int,
        price_nano: int,
        price_nano_eur: int,
        price_nano_tokens: int,
        request_bytes: int,
        response_bytes: int,
        first_byte_ms: int | None,
        duration_ms: int,
        objects: Sequence[tuple[str, str]] = (),
        stored: Sequence[Stored] = (),
        freed: Sequence[Freed] = (),
    ) -> bytes:
        """The record: times in unix microseconds, decimals as strings."""
        rest: dict[str, Any] = {
            "occurred_at": occurred_at_us,
            "upstream": upstream,
            "status": status,
            "outcome": outcome,
            "usage_source": source,
            "cost_nano_usd": cost_nano_usd,
            "cost_nano_eur": cost_nano_eur,
            "price_nano": price_nano,
            "price_nano_eur": price_nano_eur,
            "price_nano_tokens": price_nano_tokens,
            "request_bytes": request_bytes,
            "response_bytes": response_bytes,
            "first_byte_ms": first_byte_ms,
            "duration_ms": duration_ms,
            "tokens": {name: amount for name, amount in zip(TOKENS, _COUNTS(usage), strict=True) if amount},
        }
        if usage.quantities:
            rest["quantities"] = dict(usage.quantities)
        if objects:
            rest["objects"] = objects
        if stored:
            rest["stored"] = list(map(tuple, stored))
        if freed:
            rest["freed"] = list(map(tuple, freed))
        return b"%b,%b" % (self._text, orjson.dumps(rest)[1:])


def write(record: UsageRecord) -> bytes:
    stem = Stem(
        request_id=record.request_id,
        organization_id=record.organization_id,
        project_id=record.project_id,
        key_id=record.key_id,
        member_id=record.member_id,
        endpoint=record.endpoint,
        model=record.model,
        stream=record.stream,
        currency=record.currency,
        usd_per_eur=record.usd_per_eur,
        price_ref=record.price_ref,
        search_term=record.search_term,
    )
    return stem.record(
        occurred_at_us=round(record.occurred_at.timestamp() * 1_000_000),
        upstream=record.upstream,
        status=record.status,
        outcome=record.outcome,
        usage=record.usage,
        source=record.usage_source,
        cost_nano_usd=record.cost_nano_usd,
        cost_nano_eur=record.cost_nano_eur,
        price_nano=record.price_nano,
        price_nano_eur=record.price_nano_eur,
        price_nano_tokens=record.price_nano_tokens,
        request_bytes=record.request_bytes,
        response_bytes=record.response_bytes,
        first_byte_ms=record.first_byte_ms,
        duration_ms=record.duration_ms,
        objects=record.objects,
        stored=record.stored,
        freed=record.freed,
    )


def read(data: bytes) -> UsageRecord:
    """Raises UnreadableRecord for anything but a complete record of this version."""
    try:
        form = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UnreadableRecord(f"not JSON: {error}") from None
    if not isinstance(form, dict):
        raise UnreadableRecord("not an object")
    return unflatten(form)


def unflatten(form: Mapping[str, Any]) -> UsageRecord:
    """From what `write` wrote, decoded. Raises UnreadableRecord."""
    if form.get("v") != _VERSION:
        raise UnreadableRecord(f"version {form.get('v')!r} is not known")
    try:
        tokens = form["tokens"]
        if not all(type(amount) is int and amount >= 0 for amount in tokens.values()):
            raise UnreadableRecord("token counts are not counts")  # noqa: TRY301
        quantities = form.get("quantities", {})
        if not isinstance(quantities, dict) or not all(type(count) is int for count in quantities.values()):
            raise UnreadableRecord("quantities are not counts")  # noqa: TRY301
        usage = Usage(**tokens, quantities=quantities)
        return UsageRecord(
            **dict(zip(_PLAIN, _PLAIN_OF(form), strict=True)),
            occurred_at=_moment(form["occurred_at"]),
            usage=usage,
            usd_per_eur=Decimal(form["usd_per_eur"]),
            # Records written by a proxy of before it was told have none.
            price_nano_tokens=form.get(_OF_TOKENS, part_for_tokens(form["price_nano"], usage.total_tokens)),
            objects=_each(form, "objects", _object),
            stored=_each(form, "stored", _stored),
            freed=_each(form, "freed", _freed),
        )
    except UnreadableRecord:
        raise
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, OSError) as error:
        raise UnreadableRecord(f"{type(error).__name__}: {error}") from None


def _each(form: Mapping[str, Any], name: str, read_one: Callable[..., T]) -> tuple[T, ...]:
    """Most records have none of them."""
    return tuple(read_one(*each) for each in form[name]) if name in form else ()


def _object(identifier: object, kind: object) -> tuple[str, str]:
    return str(identifier), str(kind)


def _freed(identifier: object, kind: object) -> Freed:
    return Freed(str(identifier), str(kind))


def _stored(identifier: str, kind: str, size: int, within: str | None, expires_at: int | None) -> Stored:
    if type(size) is not int or size < 0 or type(expires_at) not in (int, NoneType):
        raise UnreadableRecord("sizes of objects are not counts")
    return Stored(str(identifier), str(kind), size, None if within is None else str(within), expires_at)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
