"""The words of invoice lines, in each language."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from babel.dates import format_date
from babel.numbers import format_decimal

from ledger.invoice import Language
from ledger.periods import Period, days_of
from ledger.usage import Usage

_TEXTS: Final[Mapping[str, Mapping[Language, str]]] = {
    "monthly": {"en": "{plan}, {dates}", "fr": "{plan}, {dates}"},
    "monthly_part": {
        "en": "{plan}, {dates}: {days} of {whole} days",
        "fr": "{plan}, {dates} : {days} jours sur {whole}",
    },
    "yearly": {"en": "{plan}, year: {dates}", "fr": "{plan}, année : {dates}"},
    "yearly_unused": {
        "en": "{plan}, rest of a year that was paid for: {days} of {whole} days",
        "fr": "{plan}, reste d'une année déjà payée : {days} jours sur {whole}",
    },
    "setup": {"en": "{plan}, setup", "fr": "{plan}, mise en service"},
    "usage": {"en": "{model}{of_project}: {used}", "fr": "{model}{of_project} : {used}"},
    "overage": {
        "en": "{model}{of_project}, beyond what the plan includes: {used}",
        "fr": "{model}{of_project}, au-delà du forfait : {used}",
    },
    "overage_tokens": {
        "en": "Beyond what the plan includes: {over} tokens, in blocks of {block}",
        "fr": "Au-delà du forfait : {over} jetons, par blocs de {block}",
    },
    "overage_requests": {
        "en": "Beyond what the plan includes: {over} requests, in blocks of {block}",
        "fr": "Au-delà du forfait : {over} requêtes, par blocs de {block}",
    },
    "requests": {"en": "{count} requests", "fr": "{count} requêtes"},
    "traffic": {"en": "Traffic, in GB", "fr": "Trafic, en Go"},
    "streams": {
        "en": "Duration of streamed answers, in seconds, at a price per minute",
        "fr": "Durée des réponses en flux, en secondes, au prix de la minute",
    },
    "tiers": {
        "en": "Tiered price, {rule}: {amount}",
        "fr": "Tarif par paliers, {rule} : {amount}",
    },
    "volume": {
        "en": "Volume discount on usage of {base} {currency}",
        "fr": "Remise sur volume pour une consommation de {base} {currency}",
    },
    "minimum": {
        "en": "Up to the agreed minimum of {minimum} {currency}",
        "fr": "Complément jusqu'au minimum convenu de {minimum} {currency}",
    },
    "pack": {"en": "{tokens} tokens bought on {day}", "fr": "{tokens} jetons achetés le {day}"},
    "sla": {
        "en": "Service level not met ({found}): {percent} % of {base} {currency}",
        "fr": "Niveau de service non atteint ({found}) : {percent} % de {base} {currency}",
    },
    "adjustment": {"en": "{reason}", "fr": "{reason}"},
}
_FOUND: Final[Mapping[str, Mapping[Language, str]]] = {
    "uptime": {"en": "uptime {value} %", "fr": "disponibilité {value} %"},
    "error_rate": {"en": "error rate {value} %", "fr": "taux d'erreurs {value} %"},
    "latency": {"en": "95 % within {value} ms", "fr": "95 % en {value} ms"},
}
_USED: Final[tuple[tuple[str, Mapping[Language, str]], ...]] = (
    ("input_tokens", {"en": "{count} input tokens", "fr": "{count} jetons d'entrée"}),
    ("cached_input_tokens", {"en": "{count} of them cached", "fr": "dont {count} en cache"}),
    ("cache_write_tokens", {"en": "{count} written to the cache", "fr": "{count} mis en cache"}),
    ("output_tokens", {"en": "{count} output tokens", "fr": "{count} jetons de sortie"}),
)
_NOTHING_USED: Final[Mapping[Language, str]] = {"en": "requests", "fr": "requêtes"}
_DATES: Final[Mapping[Language, str]] = {"en": "{} – {}", "fr": "du {} au {}"}
_MONEY: Final = frozenset({"base", "minimum"})
_AT_COST: Final[Mapping[Language, str]] = {"en": "{currency} at cost", "fr": "{currency} au prix coûtant"}
_ALL_TOKENS: Final[Mapping[Language, str]] = {"en": "tokens", "fr": "jetons"}


def worded(text: str, facts: Mapping[str, object], period: Period, language: Language, time_zone: str) -> str:
    """The description of a line. Numbers, days and usage among `facts` are written as the language has them."""
    first, last = days_of(period, time_zone)
    is_money = _MONEY | {"amount"} if facts.get("is_money") else _MONEY
    words: dict[str, str] = {
        name: _money(value, language)
        if name in is_money and isinstance(value, Decimal)
        else _fact(value, language)
        for name, value in facts.items()
    }
    words["day"] = format_date(first, "medium", locale=language)
    words["dates"] = _DATES[language].format(words["day"], format_date(last, "medium", locale=language))
    words["of_project"] = f" ({words['project']})" if facts.get("project") else ""
    if text == "tiers":
        of = _AT_COST[language] if facts.get("is_money") else _kind(str(facts["kind"]), language)
        words["amount"] = f"{words['amount']} {of}".format(currency=facts["currency"])
    if text == "sla":
        words["found"] = _FOUND[str(facts["measure"])][language].format(value=words["found"])
    return _TEXTS[text][language].format_map(words)


def _money(amount: Decimal, language: Language) -> str:
    return str(format_decimal(amount, format="#,##0.00", locale=language))


def _fact(value: object, language: Language) -> str:
    match value:
        case bool():
            return ""
        case int() | Decimal():
            return str(format_decimal(value, locale=language, decimal_quantization=False))
        case Usage():
            return _usage(value, language)
        case None:
            return ""
    return str(value)


def _usage(usage: Usage, language: Language) -> str:
    parts = [
        words[language].format(count=format_decimal(count, locale=language))
        for name, words in _USED
        if (count := getattr(usage, name))
    ]
    parts += [
        f"{format_decimal(count, locale=language)} {name.replace('_', ' ')}"
        for name, count in sorted(usage.quantities.items())
        if count
    ]
    return ", ".join(parts) or _NOTHING_USED[language]


def _kind(kind: str, language: Language) -> str:
    return _ALL_TOKENS[language] if kind == "*" else kind.replace("_", " ")
