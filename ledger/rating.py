"""Usage to money: what a request cost, what it is sold for, the most it can come to. Pure; only integers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import mul
from types import MappingProxyType
from typing import Final, Literal

from ledger.price_rules import MICRO, PriceRule
from ledger.prices import SCALE, TOKEN_KINDS, Price, Sheet, scaled
from ledger.usage import Usage

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})

# Usage counts things, prices name one of them.
_ONE_OF: Final[Mapping[str, str]] = {"seconds": "second", "images": "image", "characters": "character"}
# Which part of the cached tokens is not text: a count of tokens that `input_tokens` has already.
_CACHED_AUDIO: Final = "cached_audio_tokens"
_CACHED_IMAGE: Final = "cached_image_tokens"


def half_even(numerator: int, denominator: int) -> int:
    """The nearest whole number, the even one of two equally near."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole & 1))


def _tokens(usage: Usage) -> tuple[int, ...]:
    """Counts in the order of TOKEN_KINDS, each token in one of them: their sum is input plus output tokens.

    Parts that overlap or exceed the whole are cut. Cached tokens whose kind is not reported are text first,
    then audio, then image; tokens written to the cache are text that was not read from it.
    """
    audio = min(usage.audio_input_tokens, usage.input_tokens)
    image = min(usage.image_input_tokens, usage.input_tokens - audio)
    text = usage.input_tokens - audio - image
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    cached_audio = min(usage.quantities.get(_CACHED_AUDIO, 0), audio, cached)
    cached_image = min(usage.quantities.get(_CACHED_IMAGE, 0), image, cached - cached_audio)
    cached_text = min(cached - cached_audio - cached_image, text)
    rest = cached - cached_audio - cached_image - cached_text
    more_audio = min(rest, audio - cached_audio)
    cached_audio += more_audio
    cached_image += rest - more_audio
    written = min(usage.cache_write_tokens, text - cached_text)
    audio_out = min(usage.audio_output_tokens, usage.output_tokens)
    image_out = min(usage.image_output_tokens, usage.output_tokens - audio_out)
    return (
        text - cached_text - written,
        cached_text,
        written,
        audio - cached_audio,
        cached_audio,
        image - cached_image,
        cached_image,
        usage.output_tokens - audio_out - image_out,
        audio_out,
        image_out,
    )


def by_kind(usage: Usage) -> dict[str, int]:
    """How many of each kind that has a rate: tokens, each in one kind, and pieces by their kinds' names."""
    found = {kind: count for kind, count in zip(TOKEN_KINDS, _tokens(usage), strict=True) if count}
    for kind, count in _pieces(usage.quantities):
        found[kind] = found.get(kind, 0) + count
    return found


def _pieces(quantities: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    for name, count in quantities.items():
        if count and name not in (_CACHED_AUDIO, _CACHED_IMAGE):
            yield _ONE_OF.get(name, name), count


def _weigh(tokens: Sequence[int], quantities: Mapping[str, int], sheet: Sheet) -> int:
    """Nano-units times SCALE."""
    total: int = sheet.per_request + sum(map(mul, tokens, sheet.tokens))
    if quantities:
        for kind, count in _pieces(quantities):
            total += count * sheet.piece(kind)
    return total


def cost(usage: Usage, price: Price, *, service_tier: str = "default") -> int:
    """What the provider charges for `usage`, in nano-USD, rounded half to even once, at the end.

    A cached token costs its own rate and nothing else; reasoning is inside output. `service_tier` is the one
    of the answer (`batch` for a batch). What `unpriced` names costs the dearest that the model has rates for, and
    nothing only where it has none.
    """
    sheet = price.sheet(service_tier, usage.input_tokens)
    return half_even(_weigh(_tokens(usage), usage.quantities, sheet), SCALE)


def unpriced(usage: Usage, price: Price, *, service_tier: str = "default") -> list[str]:
    """Kinds that were used and that `price` has no rate for, sorted; empty where `cost` says all."""
    listed = price.sheet(service_tier, usage.input_tokens).listed
    sound = usage.audio_input_tokens or usage.audio_output_tokens
    if not sound and not usage.quantities and "input" in listed and "output" in listed:
        return []  # what almost every call uses; these two stand for all kinds but sound
    used = {kind for kind, count in zip(TOKEN_KINDS, _tokens(usage), strict=True) if count}
    used |= {kind for kind, _ in _pieces(usage.quantities)}
    return sorted(used - listed)


def _sheets_up_to(price: Price, input_tokens: int, service_tier: str | None) -> Iterable[Sheet]:
    tiers = (
        price.sheets.values()
        if service_tier is None
        else (price.sheets.get(service_tier, price.sheets["default"]),)
    )
    for sheets in tiers:
        for above, sheet in sheets:
            if input_tokens > above or above == 0:
                yield sheet


def upper_bound(
    input_tokens: int,
    output_tokens: int,
    price: Price,
    *,
    quantities: Mapping[str, int] = _NOTHING,
    service_tier: str | None = None,
) -> int:
    """The most that a request within these counts can cost, in nano-USD, rounded up.

    Any kind of token, any shorter input, at most these `quantities`; any service tier unless it is known.
    """
    return max(
        _most(input_tokens, output_tokens, quantities, sheet, SCALE)
        for sheet in _sheets_up_to(price, input_tokens, service_tier)
    )


def _most(
    input_tokens: int, output_tokens: int, quantities: Mapping[str, int], sheet: Sheet, per: int
) -> int:
    dearest = input_tokens * sheet.dearest_input + output_tokens * sheet.dearest_output
    return -(-(dearest + _weigh((), quantities, sheet)) // per)


_AT_COST: Final = PriceRule(markup=Decimal(1))
_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Tariff:
    """A plan's selling prices. The first rule for the model and kind decides; without one, cost is passed on.
    Of tiers it is the dearest, so that no limit is too low: what the period's sum makes of it is rated later.

    `price_per_request` is added to each record, in the plan's currency. A model that a plan lets through
    without a price is a Price without rates: it costs nothing, and rules with a `rate` still sell it.
    """

    rules: tuple[PriceRule, ...]
    price_per_request: Decimal
    currency: Literal["EUR", "USD"]
    _sold: dict[tuple[str, Sheet, Decimal], tuple[Sheet, int]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def price(
        self, usage: Usage, price: Price, usd_per_eur: Decimal, *, service_tier: str = "default"
    ) -> tuple[int, int]:
        """What the customer pays, in nano-units of the plan's currency, and the part of it that is for tokens; each
        rounded half to even once."""
        sheet, per = self.selling(price.model, price.sheet(service_tier, usage.input_tokens), usd_per_eur)
        tokens = sum(map(mul, _tokens(usage), sheet.tokens))
        of_tokens = half_even(tokens, per)
        rest = _weigh((), usage.quantities, sheet) if usage.quantities else sheet.per_request
        return (half_even(tokens + rest, per) if rest else of_tokens), of_tokens

    def upper_bound(
        self,
        input_tokens: int,
        output_tokens: int,
        price: Price,
        usd_per_eur: Decimal,
        *,
        quantities: Mapping[str, int] = _NOTHING,
        service_tier: str | None = None,
    ) -> int:
        """The most that `price` can come to within these counts, rounded up; terms as for the cost's."""
        return max(
            _most(input_tokens, output_tokens, quantities, *self.selling(price.model, sheet, usd_per_eur))
            for sheet in _sheets_up_to(price, input_tokens, service_tier)
        )

    def selling(self, model: str, sheet: Sheet, usd_per_eur: Decimal) -> tuple[Sheet, int]:
        """`sheet` as it is sold, and what its sums are divided by to be nano-units of the plan's currency."""
        key = (model, sheet, usd_per_eur)
        sold = self._sold.get(key)
        if sold is None:
            if len(self._sold) >= _REMEMBERED:
                self._sold.clear()
            sold = self._sold[key] = self._sell(model, sheet, usd_per_eur)
        return sold

    def _sell(self, model: str, sheet: Sheet, usd_per_eur: Decimal) -> tuple[Sheet, int]:
        """`sheet` under the rules, and what its sums are divided by to be nano-units of the plan's currency.

        Nothing is rounded here: the exchange rate stays a fraction.
        """
        if usd_per_eur <= 0:
            raise ValueError(f"{usd_per_eur} dollars per euro is no exchange rate")
        dollars, plan_units = usd_per_eur.as_integer_ratio() if self.currency == "EUR" else (1, 1)

        def of(kind: str, cost_rate: int, extra: int = 0) -> int:
            rule = next((rule for rule in self.rules if rule.applies(model, kind)), _AT_COST)
            own = extra
            if (rate := rule.highest_rate) is not None:
                own += scaled(rate, kind)
                cost_rate = 0
            micro = int((rule.highest_markup or Decimal()) * MICRO)
            return cost_rate * micro * plan_units + own * MICRO * dollars

        own_pieces = {rule.kind for rule in self.rules if rule.highest_rate is not None} - {
            "*",
            "per_request",
            *TOKEN_KINDS,
        }
        sold = Sheet(
            tokens=tuple(of(kind, rate) for kind, rate in zip(TOKEN_KINDS, sheet.tokens, strict=True)),
            per_request=of("per_request", sheet.per_request, scaled(self.price_per_request, "per_request")),
            pieces={kind: of(kind, sheet.pieces.get(kind, 0)) for kind in own_pieces | sheet.pieces.keys()},
            listed=sheet.listed,
        )
        return sold, SCALE * MICRO * dollars
