"""Values of reports as a language writes them, for people. Pure."""

from datetime import date
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from billing_worker.notices.wording import LOCALES
from billing_worker.reports.labels import WORDS
from billing_worker.reports.table import Kind, Value
from ledger.invoice import Language

_CENT = Decimal("0.01")
_STEPS = ("", "k", "M", "G", "T")


def written(value: Value, kind: Kind, language: Language, currency: str | None = None) -> str:
    """Money with two places, or as many as it takes to show that it is not nothing; bytes by the thousand."""
    locale = LOCALES[language]
    if value is None:
        return "–"
    if isinstance(value, date):
        return format_date(value, "medium", locale=locale)
    if isinstance(value, str):
        return WORDS[language].get(value, value) if kind == "text" else value
    match kind:
        case "money":
            return _money(Decimal(value), currency, locale)
        case "percent":
            return f"{format_decimal(value, '#,##0.##', locale=locale)}\N{NO-BREAK SPACE}%"
        case "milliseconds":
            return f"{format_decimal(value, '#,##0', locale=locale)}\N{NO-BREAK SPACE}ms"
        case "bytes" | "rate":
            return _bytes(int(value), language, "/s" if kind == "rate" else "")
    return format_decimal(value, "#,##0.##", locale=locale)


def _money(value: Decimal, currency: str | None, locale: str) -> str:
    places = 2
    if value and abs(value) < _CENT:
        places = min(9, 1 - value.adjusted())
    pattern = f"#,##0.{'0' * places}"
    if currency is None:
        return format_decimal(value, pattern, locale=locale)
    pattern = f"{pattern}\N{NO-BREAK SPACE}¤" if locale.startswith("fr") else f"¤{pattern}"
    return format_currency(value, currency, pattern, locale=locale, currency_digits=False)


def _bytes(value: int, language: Language, per: str) -> str:
    step, amount = 0, Decimal(value)
    while abs(amount) >= 1000 and step < len(_STEPS) - 1:
        step, amount = step + 1, amount / 1000
    number = format_decimal(amount, "#,##0.#", locale=LOCALES[language])
    return f"{number}\N{NO-BREAK SPACE}{_STEPS[step]}{'o' if language == 'fr' else 'B'}{per}"
