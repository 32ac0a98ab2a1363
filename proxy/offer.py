"""Before the hold: may the plan have this, what may it cost, and what is sent upstream."""

from dataclasses import dataclass, replace
from typing import Final

from ledger.usage import Usage
from proxy.endpoints.asked import Asked
from proxy.endpoints.endpoint import Endpoint
from proxy.errors import Refusal, unavailable
from proxy.foreseen import Foreseen
from proxy.identity.principal import Principal
from proxy.meter.prompt import run_bound
from proxy.meter.request import add_member, ask_for_usage
from proxy.meter.service_tier import service_tier_of
from proxy.pricing import PriceBook, Quote
from proxy.quota.amounts import Demand
from proxy.record.money import Money

_LEAST_OUTPUT: Final = 16
"""OpenAI accepts no smaller bound on every endpoint, and nothing useful fits into less."""


@dataclass(frozen=True, slots=True)
class Offer:
    """`demand` holds a margin above what is foreseen where that is not exact.

    `most` is what is charged, and the answer's tokens beside it, for work of which nobody can tell any more what it
    used; None where that is what is foreseen.
    """

    foreseen: Foreseen
    demand: Demand
    quote: Quote
    most: tuple[Usage, Money] | None = None

    @property
    def lost(self) -> tuple[Usage, Money]:
        usage = replace(self.foreseen.sunk, quantities=self.foreseen.quantities)
        return self.most or (usage, self.quote.money(usage))


def check_endpoint(endpoint: Endpoint, principal: Principal) -> None:
    """Raises Refusal 403 for what the plan excludes."""
    terms = principal.terms
    if not terms.allows_endpoint(endpoint.name, endpoint.template):
        raise Refusal(
            403,
            f"The plan {terms.plan_name} does not include {endpoint.template}.",
            code="endpoint_not_allowed",
        )


def check_plan(asked: Asked, principal: Principal, quote: Quote) -> None:
    """Raises Refusal: 403 for what the plan excludes, 402 for a model without a price."""
    check_endpoint(asked.endpoint, principal)
    if not asked.endpoint.costs and asked.endpoint.opens is None:
        return
    terms = principal.terms
    model = asked.endpoint.priced_as or asked.model or "that a stored prompt names"
    if asked.endpoint.priced_as is None and not terms.allows_model(asked.model):
        raise Refusal(
            403,
            f"The plan {terms.plan_name} does not include the model {model}.",
            code="model_not_allowed",
            param="model",
        )
    if asked.request.get("output_format") == "svg":
        raise Refusal(
            400,
            "Pictures drawn as SVG by a model of text can't be metered here.",
            code="not_metered",
            param="output_format",
        )
    if quote.entry is None and not terms.allows_unpriced_models:
        raise Refusal(
            402,
            f"The model {model} has no price here, so it can't be used under the plan {terms.plan_name}.",
            type="insufficient_quota",
            code="model_not_priced",
            param="model",
        )


def quote_for(asked: Asked, principal: Principal, prices: PriceBook) -> Quote:
    """Raises Refusal 503 while prices are not known."""
    tier = service_tier_of(asked.request) or "default"
    try:
        return prices.quote(asked.endpoint.priced_as or asked.model, principal.terms.tariff, tier)
    except LookupError:
        raise unavailable("Prices are not known yet. Try again.", "starting") from None


def offer(asked: Asked, foreseen: Foreseen, quote: Quote) -> Offer:
    """What to hold. An answer that the caller left unbounded may be granted less than the model's bound."""
    tokens, output = foreseen.input_tokens, foreseen.output_tokens
    least = min(output, _LEAST_OUTPUT * choices(asked)) if may_be_bounded(asked) else output
    held = quote.held
    demand = Demand(
        tokens,
        held.most(tokens, 0, foreseen.quantities),
        output,
        least,
        held.most_per_output_token(tokens),
        asked.size,
        paced=not asked.endpoint.unpaced,
        stores=_stores(asked),
    )
    return Offer(foreseen, demand, quote)


def _stores(asked: Asked) -> int | None:
    """Bytes that an upload may add to what is kept upstream: those of the form around them too."""
    if asked.endpoint.stores is None or asked.announced is None:
        return None
    return asked.announced or -1


def choices(asked: Asked) -> int:
    n = asked.request.get("n")
    return n if isinstance(n, int) and n > 0 else 1


def may_be_bounded(asked: Asked) -> bool:
    """Whether the answer has no bound of the caller's, and takes one of ours."""
    member = asked.endpoint.output_bound
    if member is None:
        return False
    return all(asked.request.get(name) is None for name in {member, "max_tokens"})


def body_for(asked: Asked, granted: int, demand: Demand) -> tuple[bytes, bool]:
    """The bytes to send upstream, and whether the usage chunk was asked for by us and must be removed again."""
    body, ours = asked.body, False
    if asked.endpoint.asks_usage and asked.stream:
        wish = ask_for_usage(body, asked.request)
        ours = wish.body is not body and not wish.by_client
        body = wish.body
    if asked.endpoint.defers == "run":
        body = add_member(body, "max_prompt_tokens", run_bound(asked.request, asked.model))
    if granted < demand.output and asked.endpoint.output_bound is not None:
        body = add_member(body, asked.endpoint.output_bound, granted // choices(asked))
    return body, ours
