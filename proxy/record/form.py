"""The form of a usage record in the Redis stream: one JSON object, versioned, read strictly."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from types import NoneType
from typing import Any, Final

import orjson

from ledger.storage import Freed, Stored
from ledger.usage import TOKENS, Usage
from ledger.usage_record import UsageRecord, part_for_tokens

_VERSION: Final = 1
_OF_TOKENS: Final = "price_nano_tokens"
_PLAIN: Final = tuple(
    field.name
    for field in fields(UsageRecord)
    if field.name not in ("occurred_at", "usage", "usd_per_eur", "objects", "stored", "freed", _OF_TOKENS)
)
_PLAIN_VALUES: Final = attrgetter(*_PLAIN)
_COUNTS: Final = attrgetter(*TOKENS)
NAMES: Final = (*_PLAIN, _OF_TOKENS, "occurred_at", "usd_per_eur")
"""Of a record's members, those that are plain values."""


class UnreadableRecord(ValueError):
    """The bytes are not a usage record of a version known here. Says why."""


def flat(record: UsageRecord) -> dict[str, Any]:
    """The record as plain values: times in unix microseconds, decimals as strings."""
    form: dict[str, Any] = dict(zip(_PLAIN, _PLAIN_VALUES(record), strict=True))
    form["v"] = _VERSION
    form[_OF_TOKENS] = record.price_nano_tokens
    form["occurred_at"] = round(record.occurred_at.timestamp() * 1_000_000)
    form["usd_per_eur"] = str(record.usd_per_eur)
    usage = record.usage
    form["tokens"] = {name: amount for name, amount in zip(TOKENS, _COUNTS(usage), strict=True) if amount}
    if usage.quantities:
        form["quantities"] = dict(usage.quantities)
    if record.objects:
        form["objects"] = record.objects
    if record.stored:
        form["stored"] = list(map(tuple, record.stored))
    if record.freed:
        form["freed"] = list(map(tuple, record.freed))
    return form


def write(record: UsageRecord) -> bytes:
    return orjson.dumps(flat(record))


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
    """The inverse of `flat`. Raises UnreadableRecord."""
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
            **{name: form[name] for name in _PLAIN},
            occurred_at=_moment(form["occurred_at"]),
            usage=usage,
            usd_per_eur=Decimal(form["usd_per_eur"]),
            # Records written by a proxy of before it was told have none.
            price_nano_tokens=form.get(_OF_TOKENS, part_for_tokens(form["price_nano"], usage.total_tokens)),
            objects=tuple((str(identifier), str(kind)) for identifier, kind in form.get("objects", ())),
            stored=tuple(_stored(*each) for each in form.get("stored", ())),
            freed=tuple(Freed(str(identifier), str(kind)) for identifier, kind in form.get("freed", ())),
        )
    except UnreadableRecord:
        raise
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, OSError) as error:
        raise UnreadableRecord(f"{type(error).__name__}: {error}") from None


def _stored(identifier: str, kind: str, size: int, within: str | None, expires_at: int | None) -> Stored:
    if type(size) is not int or size < 0 or type(expires_at) not in (int, NoneType):
        raise UnreadableRecord("sizes of objects are not counts")
    return Stored(str(identifier), str(kind), size, None if within is None else str(within), expires_at)


def _moment(microseconds: int) -> datetime:
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
