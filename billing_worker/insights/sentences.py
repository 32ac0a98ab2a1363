"""Insights in words."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from babel.numbers import format_currency, format_decimal

from billing_worker.notices.wording import LOCALES
from ledger.insights import Insight, Kind
from ledger.invoice import Language

_SENTENCES: Final[Mapping[Language, Mapping[Kind, str]]] = {
    "en": {
        "anomaly": "On {day} the {measure} came to {seen}, where {expected} was to be expected.",
        "forecast": "This month will come to about {total}{bounds}; so far it is {so_far}.",
        "cached_input": "Only {cached_percent} % of what {model} reads comes from the cache. With prompts that begin"
        " alike, half of the rest could: {saving} less a month.",
        "cheaper_model": "Questions to {model} and its answers are short ({output_tokens_per_request} tokens a call)."
        " With {cheaper} the same would cost {saving} less a month.",
        "batch": "At night, {model} is called for {price} without anybody who waits for a stream. As batches, that"
        " would cost {saving} less a month.",
        "unused_plan": "The plan {plan} has not been used for two months: without it, {saving} less a month.",
        "smaller_plan": "At most {most_tokens} of the {quota} tokens of the plan {plan} were used in a month. The plan"
        " {smaller} would do, for {saving} less a month.",
        "idle_keys": "{count} API keys have not been used for 90 days: revoke what nobody needs ({names}).",
    },
    "fr": {
        "anomaly": "Le {day}, {measure} : {seen}, là où {expected} étaient attendus.",
        "forecast": "Ce mois-ci atteindra environ {total}{bounds} ; il en est à {so_far}.",
        "cached_input": "Seulement {cached_percent} % de ce que {model} lit vient du cache. Avec des invites qui"
        " commencent de la même façon, la moitié du reste le pourrait : {saving} de moins par mois.",
        "cheaper_model": "Les questions à {model} et ses réponses sont courtes ({output_tokens_per_request} tokens par"
        " appel). Avec {cheaper}, la même chose coûterait {saving} de moins par mois.",
        "batch": "La nuit, {model} est appelé pour {price} sans que personne n'attende un flux. En lots, cela"
        " coûterait {saving} de moins par mois.",
        "unused_plan": "L'offre {plan} n'a pas servi depuis deux mois : sans elle, {saving} de moins par mois.",
        "smaller_plan": "Au plus {most_tokens} des {quota} tokens de l'offre {plan} ont servi en un mois. L'offre"
        " {smaller} suffirait, pour {saving} de moins par mois.",
        "idle_keys": "{count} clés d'API n'ont pas servi depuis 90 jours : révoquez celles dont personne n'a besoin"
        " ({names}).",
    },
}
_MEASURES: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {"tokens": "tokens", "cost": "cost"},
    "fr": {"tokens": "tokens", "cost": "coût"},
}
_BOUNDS: Final[Mapping[Language, str]] = {
    "en": " (between {low} and {high})",
    "fr": " (entre {low} et {high})",
}
_MONEY: Final = ("total", "low", "high", "so_far", "price")


def sentence(insight: Insight, language: Language) -> str:
    """What it says, with its saving, in one or two sentences."""
    locale = LOCALES[language]

    def money(amount: str | Decimal) -> str:
        return format_currency(Decimal(amount), insight.currency or "EUR", locale=locale)

    facts = {
        name: format_decimal(value, locale=locale) if isinstance(value, int) else value
        for name, value in insight.facts.items()
    }
    facts |= {name: money(facts[name]) for name in _MONEY if facts.get(name) is not None}
    if insight.kind == "anomaly":
        in_money = facts["measure"] == "cost"
        for name in ("seen", "expected"):
            facts[name] = (
                money(facts[name]) if in_money else format_decimal(Decimal(facts[name]), locale=locale)
            )
        facts["measure"] = _MEASURES[language][facts["measure"]]
    if insight.kind == "forecast":
        known = facts.get("low") is not None
        facts["bounds"] = _BOUNDS[language].format_map(facts) if known else ""
    if "names" in facts:
        facts["names"] = ", ".join(facts["names"])
    if insight.saving is not None:
        facts["saving"] = money(insight.saving)
    return _SENTENCES[language][insight.kind].format_map(facts)
