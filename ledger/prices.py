"""What providers charge: the price list, and which price applied to a model at an instant."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain, pairwise
from typing import Any, Final

import orjson

NANO: Final = 10**9
SCALE: Final = 60_000_000
"""Integer rates are nano-units per this many units: a price per minute is then exact per second, too."""

INPUT_KINDS: Final = (
    "input",
    "cached_input",
    "cache_write",
    "audio_input",
    "cached_audio_input",
    "image_input",
    "cached_image_input",
)
OUTPUT_KINDS: Final = ("output", "audio_output", "image_output")
TOKEN_KINDS: Final = INPUT_KINDS + OUTPUT_KINDS
"""Kinds that no token has two of: text that is neither cached nor written to the cache is `input`."""
_DIRECTIONS: Final = (INPUT_KINDS, OUTPUT_KINDS)

# What a kind costs where the list has no rate of its own, tried in this order. Sound costs a multiple of text, so text
# doesn't stand for it.
_INSTEAD: Final[Mapping[str, tuple[str, ...]]] = {
    "cached_input": ("input",),
    "cache_write": ("input",),
    "cached_audio_input": ("audio_input",),
    "image_input": ("input",),
    "cached_image_input": ("image_input", "cached_input", "input"),
    "image_output": ("output",),
}
_TOKENS_PER_SECOND: Final = 10
"""Of sound, where what is measured in seconds has rates for tokens alone."""

# A rate is US dollars for this many units; kinds that are not named are priced by the piece.
_UNITS: Final[Mapping[str, int]] = dict.fromkeys(TOKEN_KINDS, 1_000_000) | {
    "character": 1_000_000,
    "second": 60,
}


_DECIMAL: Final = re.compile(r"\d{1,9}(?:\.\d{1,12})?")
_KIND: Final = re.compile(r"(?:(?P<tier>[a-z]+)(?:>(?P<above>\d{1,9}))?/)?(?P<kind>[a-z][a-z0-9_]*)")
_SNAPSHOT: Final = re.compile(
    r"-(?:20\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))$"
)
_REMEMBERED: Final = 4096
_PLAIN_COLUMNS: Final = ("provider", "model", "valid_from", "valid_until", "source", "source_date")


class PriceListError(ValueError):
    """A price list that cannot be used; the message names the model and the fault."""


def units(kind: str) -> int:
    """For how many of `kind` a rate is: a million tokens or characters, a minute of seconds, else one."""
    return _UNITS.get(kind, 1)


def scaled(rate: Decimal, kind: str) -> int:
    """`rate`, in units of a currency for what a rate of `kind` counts, in nano-units per SCALE of `kind`.

    Raises PriceListError where that is not a whole number from 0 on: no rate is rounded before it multiplies.
    """
    value = rate * NANO * SCALE / _UNITS.get(kind, 1)
    if not value.is_finite() or value < 0 or value != value.to_integral_value():
        raise PriceListError(f"{kind} {rate} is not a rate from 0 on that can be charged exactly")
    return int(value)


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Rates of one service tier and input length, in nano-units per SCALE. `tokens` is in TOKEN_KINDS' order; `listed`
    are the kinds with a rate, of their own or of a kind that stands for them. Others cost the dearest that there is.
    """

    tokens: tuple[int, ...]
    per_request: int
    pieces: Mapping[str, int]
    listed: frozenset[str]
    dearest_input: int = field(init=False)
    dearest_output: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dearest_input", max(self.tokens[: len(INPUT_KINDS)]))
        object.__setattr__(self, "dearest_output", max(self.tokens[len(INPUT_KINDS) :]))

    def piece(self, kind: str) -> int:
        """The rate of what is no token. Without one it costs no less than anything that it may be."""
        rate = self.pieces.get(kind)
        if rate is not None:
            return rate
        token = max(self.dearest_input, self.dearest_output)
        if kind == "second":
            return token * _TOKENS_PER_SECOND
        if kind == "character" or kind.endswith("_token"):
            return token
        return max((rate for name, rate in self.pieces.items() if not name.endswith("_token")), default=token)


def _sheets(rates: Mapping[str, Decimal]) -> dict[str, tuple[tuple[int, Sheet], ...]]:
    """Per tier its sheets with the input length above which each applies, longest first."""
    found: dict[str, dict[int, dict[str, Decimal]]] = {"default": {0: {}}}
    for key, rate in rates.items():
        match = _KIND.fullmatch(key)
        if match is None:
            raise PriceListError(f"{key!r} is not a kind of rate")
        tier, above = match["tier"] or "default", int(match["above"] or 0)
        found.setdefault(tier, {}).setdefault(above, {})[match["kind"]] = rate
    standard = found["default"]
    return {
        tier: tuple(
            (above, _sheet(_resolve(levels, standard, above)))
            for above in sorted({0, *levels, *standard}, reverse=True)
        )
        for tier, levels in found.items()
    }


def _resolve(
    levels: Mapping[int, dict[str, Decimal]], standard: Mapping[int, dict[str, Decimal]], above: int
) -> dict[str, Decimal]:
    """Rates above a length. What a tier says of a kind, for any length, goes before what `default` says."""
    rates: dict[str, Decimal] = {}
    for source in (standard, levels):
        for start in sorted(source):
            if start <= above:
                rates |= source[start]
    return rates


def _sheet(rates: Mapping[str, Decimal]) -> Sheet:
    named = {
        kind: next((name for name in (kind, *_INSTEAD.get(kind, ())) if name in rates), None)
        for kind in TOKEN_KINDS
    }
    known = {kind: scaled(rates[name], kind) for kind, name in named.items() if name is not None}
    dearest = {
        kinds: max((known[kind] for kind in kinds if kind in known), default=0) for kinds in _DIRECTIONS
    }
    tokens = tuple(
        known.get(kind, dearest[kinds] or max(dearest.values())) for kinds in _DIRECTIONS for kind in kinds
    )
    pieces = {kind: scaled(rate, kind) for kind, rate in rates.items() if kind not in TOKEN_KINDS}
    return Sheet(tokens, pieces.pop("per_request", 0), pieces, frozenset({*rates, *known}))


def ref(provider: str, model: str, valid_from: datetime) -> str:
    """How a record names its price: `openai/gpt-4o-mini@2024-07-18`, with the time unless midnight UTC."""
    start = valid_from.astimezone(UTC)
    return f"{provider}/{model}@{start.isoformat().removesuffix('T00:00:00+00:00')}"


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs from `valid_from` on (until `valid_until`, where it is set; half-open).

    `rates`: [tier[>input tokens]/]kind -> US dollars per million tokens or characters, per minute (`second`),
    else per piece. `flex>272000/input`: flex input in requests with more than 272,000 input tokens.
    """

    provider: str
    model: str
    valid_from: datetime
    valid_until: datetime | None
    rates: Mapping[str, Decimal]
    source: str
    source_date: date
    ref: str = field(init=False)
    sheets: Mapping[str, tuple[tuple[int, Sheet], ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ref", ref(self.provider, self.model, self.valid_from))
        try:
            object.__setattr__(self, "sheets", _sheets(self.rates))
        except PriceListError as error:
            raise PriceListError(f"{self.ref}: {error}") from None

    def sheet(self, service_tier: str, input_tokens: int) -> Sheet:
        """Rates for a request of this length. A tier without rates of its own costs what `default` does."""
        sheets = self.sheets.get(service_tier) or self.sheets["default"]
        for above, sheet in sheets:
            if input_tokens > above:
                return sheet
        return sheets[-1][1]


class PriceList:
    """Prices by model. Immutable; a changed list is a new one."""

    def __init__(self, prices: Iterable[Price]) -> None:
        found: dict[str, list[Price]] = {}
        for price in prices:
            found.setdefault(price.model, []).append(price)
        self._prices = {
            model: tuple(sorted(some, key=lambda price: price.valid_from, reverse=True))
            for model, some in found.items()
        }
        for some in self._prices.values():
            for later, earlier in pairwise(some):
                if later.valid_from == earlier.valid_from:
                    raise PriceListError(f"{later.ref} is listed twice")
        self._remembered: dict[str, tuple[Price, ...]] = dict(self._prices)

    def __iter__(self) -> Iterator[Price]:
        return chain.from_iterable(self._prices.values())

    @classmethod
    def from_rows(cls, rows: Iterable[Any]) -> "PriceList":
        """Rows of model_price, as records or mappings; `rates` as JSON text or decoded."""
        return cls(
            Price(
                **{name: row[name] for name in _PLAIN_COLUMNS},
                rates=decimal_rates(row["rates"], row["model"]),
            )
            for row in rows
        )

    def rows(self) -> list[dict[str, Any]]:
        """Rows of model_price, an alias in a row of its own; `rates` as JSON text."""
        return [
            {name: getattr(price, name) for name in _PLAIN_COLUMNS}
            | {"rates": orjson.dumps({kind: f"{rate:f}" for kind, rate in price.rates.items()}).decode()}
            for price in self
        ]

    def price_for(self, model: str, at: datetime) -> Price | None:
        """What `model` costs at `at` (aware): the name itself, else without a snapshot's date; a tuned model
        by what the list has for tuned ones of its base. Never by resemblance: None.
        """
        prices = self._remembered.get(model)
        if prices is None:
            prices = self._find(model)
        for price in prices:
            if price.valid_from <= at:
                return price if price.valid_until is None or at < price.valid_until else None
        return None

    def changes_after(self, model: str, at: datetime) -> datetime | None:
        """When another price applies to `model`, or none any more; None where nothing is known to change."""
        turns = (
            turn
            for price in self._remembered.get(model, ())
            for turn in (price.valid_from, price.valid_until)
        )
        return min((turn for turn in turns if turn is not None and turn > at), default=None)

    def _find(self, model: str) -> tuple[Price, ...]:
        parts = model.split(":")
        name = ":".join(parts[:2]) if parts[0] == "ft" and len(parts) > 2 else model
        prices = self._prices.get(name) or self._prices.get(_SNAPSHOT.sub("", name), ())
        # Names come from callers, so what is remembered of them is bounded.
        if prices and len(self._remembered) < len(self._prices) + _REMEMBERED:
            self._remembered[model] = prices
        return prices


def decimal_rates(given: Mapping[str, Any] | str, model: str) -> dict[str, Decimal]:
    rates: Mapping[str, Any] = orjson.loads(given) if isinstance(given, str) else given
    for kind, rate in rates.items():
        if not isinstance(rate, str) or not _DECIMAL.fullmatch(rate):
            raise PriceListError(f"{model}: {kind} is {rate!r}, a rate is a decimal string from 0 on")
    return {kind: Decimal(rate) for kind, rate in rates.items()}
