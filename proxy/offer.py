"""Before the hold: may the plan have this, what may it cost, and what is sent upstream."""

from dataclasses import dataclass
from typing import Final

from ledger.usage import Usage
from proxy.endpoints.asked import Asked
from proxy.errors import Refusal, unavailable
from proxy.identity.principal import Principal
from proxy.meter.bounds import output_bound
from proxy.meter.meters import chat, responses
from proxy.meter.prompt import Estimate, count_prompt
from proxy.meter.request import add_member, ask_for_usage
from proxy.meter.tokenizer import Tokenizers
from proxy.meter.tool_calls import calls_to_hold, searches_of_chat
from proxy.pricing import PriceBook, Quote
from proxy.quota.amounts import Demand
from proxy.record.money import Money

_SERVICE_TIERS: Final = frozenset({"flex", "priority"})
_LEAST_OUTPUT: Final = 16
"""OpenAI accepts no smaller bound on every endpoint, and nothing useful fits into less."""
_ONE_MORE_A_MESSAGE: Final = ("gpt-3.5-turbo", "gpt-35-turbo")
_NONE: Final = Estimate(0, True)


@dataclass(frozen=True, slots=True)
class Offer:
    """`prompt` is what the input is taken for; `demand` holds a margin above it where that is not exact.

    `most` is what is charged, and the answer's tokens beside it, where nobody can tell any more what was used; None
    where that is the prompt alone.
    """

    prompt: Estimate
    demand: Demand
    quote: Quote
    most: tuple[Usage, Money] | None = None

    @property
    def lost(self) -> tuple[Usage, Money]:
        usage = Usage(input_tokens=self.prompt.tokens)
        return self.most or (usage, self.quote.money(usage))


def check_plan(asked: Asked, principal: Principal, quote: Quote) -> None:
    """Raises Refusal: 403 for what the plan excludes, 402 for a model without a price."""
    terms, endpoint = principal.terms, asked.endpoint
    if not terms.allows_endpoint(endpoint.name, endpoint.template):
        raise Refusal(
            403,
            f"The plan {terms.plan_name} does not include {endpoint.template}.",
            code="endpoint_not_allowed",
        )
    if not endpoint.costs:
        return
    model = asked.model or "that a stored prompt names"
    if not terms.allows_model(asked.model):
        raise Refusal(
            403,
            f"The plan {terms.plan_name} does not include the model {model}.",
            code="model_not_allowed",
            param="model",
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
    tier = asked.request.get("service_tier")
    tier = tier if isinstance(tier, str) and tier in _SERVICE_TIERS else "default"
    try:
        return prices.quote(asked.model, principal.terms.tariff, tier)
    except LookupError:
        raise unavailable("Prices are not known yet. Try again.", "starting") from None


def prompt_of(asked: Asked, tokenizers: Tokenizers) -> Estimate:
    if not asked.endpoint.costs:
        return _NONE
    return count_prompt(asked.endpoint.template, asked.request, asked.model, tokenizers)


def offer(asked: Asked, prompt: Estimate, quote: Quote) -> Offer:
    """What to hold. An answer that the caller left unbounded may be granted less than the model's bound."""
    tokens = prompt.tokens + _margin(asked, prompt)
    output = 0
    if asked.endpoint.costs:
        output = output_bound(asked.endpoint.template, asked.request, asked.model)
    least = min(output, _LEAST_OUTPUT * choices(asked)) if may_be_bounded(asked) else output
    demand = Demand(
        tokens,
        quote.most(tokens, 0, _calls(asked)),
        output,
        least,
        quote.most_per_output_token(tokens),
        len(asked.body),
    )
    return Offer(prompt, demand, quote)


def _calls(asked: Asked) -> dict[str, int]:
    """Calls of the provider's own tools that the answer may make, each at its price."""
    if asked.endpoint.meter is responses:
        return calls_to_hold(asked.request, asked.model)
    return searches_of_chat(asked.request, asked.model) if asked.endpoint.meter is chat else {}


def _margin(asked: Asked, prompt: Estimate) -> int:
    """Tokens held above the count, so that a prompt counted too low can't pass a limit. On recorded calls the
    count was up to 18 too low for responses that are plain, up to 229 where tools are strict, and one a message for the
    first version of gpt-3.5-turbo, which several names still lead to."""
    if not prompt.exact:
        return max(256, prompt.tokens // 4)
    if asked.endpoint.meter is responses:
        return 32
    messages = asked.request.get("messages")
    return len(messages) if isinstance(messages, list) and asked.model.startswith(_ONE_MORE_A_MESSAGE) else 0


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
    if granted < demand.output and asked.endpoint.output_bound is not None:
        body = add_member(body, asked.endpoint.output_bound, granted // choices(asked))
    return body, ours
