"""Kinds that the price of a model has no rate for: refused where a call asks for them; where an answer brings them all
the same, they are charged at the dearest rate there is, and somebody is told."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from ledger.usage import Usage
from ledger.usage_record import UsageRecord
from proxy.endpoints.asked import Asked
from proxy.errors import Refusal
from proxy.foreseen import Foreseen
from proxy.identity.principal import Principal
from proxy.measures import Measures
from proxy.pricing import Quote

_SOUND: Final = "input_audio"
_SOUND_IN_BYTES: Final = _SOUND.encode()
_log = structlog.get_logger(__name__)


def check_kinds(asked: Asked, foreseen: Foreseen, quote: Quote, principal: Principal) -> None:
    """Raises Refusal 402 that names what the call asks for and the model has no rate for, unless the plan allows it."""
    if asked.endpoint.costs and not _is_plain(asked, foreseen, quote):
        check_rates(asked.model, asked_for(asked.request, foreseen), quote, principal)


def _is_plain(asked: Asked, foreseen: Foreseen, quote: Quote) -> bool:
    """Whether nothing but text is read and written, and the model has rates for both: told without looking into each
    message."""
    listed = frozenset() if quote.entry is None else quote.entry.sheet(quote.service_tier, 0).listed
    return (
        not foreseen.quantities
        and "input" in listed
        and "output" in listed
        and not foreseen.sunk.audio_input_tokens
        and not foreseen.sunk.audio_output_tokens
        and "modalities" not in asked.request
        and quote.service_tier == "default"
        and _SOUND_IN_BYTES not in asked.body
        and b"\\u" not in asked.body
    )


def check_rates(model: str, usage: Usage, quote: Quote, principal: Principal) -> None:
    """As `check_kinds`, of any usage that has some of each kind."""
    terms = principal.terms
    kinds = [] if terms.allows_unpriced_models else quote.unpriced(usage)
    if kinds:
        raise Refusal(
            402,
            f"The model {model} has no price here for {', '.join(kinds)}, so it can't be asked for that under the plan "
            f"{terms.plan_name}.",
            type="insufficient_quota",
            code="model_not_priced",
            param="model",
        )


def asked_for(request: Mapping[str, Any], foreseen: Foreseen) -> Usage:
    """Some of each kind that a request will use: text and sound, read and written, and the pieces that are foreseen."""
    sunk = foreseen.sunk
    modalities = request.get("modalities")
    spoken = int(isinstance(modalities, list) and "audio" in modalities)
    heard = int(any(part.get("type") == _SOUND for part in _parts(request)))
    written = sunk.output_tokens or int(foreseen.output_tokens > 0)
    return replace(
        sunk,
        input_tokens=sunk.input_tokens + heard,
        audio_input_tokens=sunk.audio_input_tokens + heard,
        output_tokens=written + spoken,
        audio_output_tokens=sunk.audio_output_tokens + spoken,
        quantities=foreseen.quantities,
    )


def note(quote: Quote, usage: Usage, *, request_id: str, model: str, measures: Measures | None) -> bool:
    """Tells of what was used without a rate. Returns whether there was any."""
    kinds = quote.unpriced(usage)
    if not kinds:
        return False
    _log.warning("used without a rate of its own", request_id=request_id, model=model, kinds=kinds)
    if measures is not None:
        measures.unpriced(kinds)
    return True


def note_records(records: Iterable[UsageRecord], quoted: Callable[[str], Quote]) -> None:
    """As `note`, of the records of work that has ended; `quoted` gives the price of a model."""
    for record in records:
        note(
            quoted(record.model),
            record.usage,
            request_id=record.request_id,
            model=record.model,
            measures=None,
        )


def _parts(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The parts of which the messages of a chat, or the input of a response, are made."""
    for messages in (request.get("messages"), request.get("input")):
        for message in _mappings(messages):
            yield from _mappings(message.get("content"))


def _mappings(value: Any) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else ()
