"""How numbers, money and times are written in a language, and what limits are called in it."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal

from ledger.invoice import Language

LOCALES: Final[Mapping[Language, str]] = {"fr": "fr_FR", "en": "en_GB"}
NAMES: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "monthly_quota": "included tokens",
        "tokens_per_month": "tokens of the month",
        "requests_per_month": "requests of the month",
        "spend_per_month": "expenses of the month",
        "members": "members",
        "projects": "projects",
        "traffic_gb_per_month": "gigabytes of traffic",
        "storage_mb": "megabytes of storage",
    },
    "fr": {
        "monthly_quota": "tokens inclus",
        "tokens_per_month": "tokens du mois",
        "requests_per_month": "requêtes du mois",
        "spend_per_month": "dépenses du mois",
        "members": "membres",
        "projects": "projets",
        "traffic_gb_per_month": "gigaoctets de trafic",
        "storage_mb": "mégaoctets de stockage",
    },
}
_UNITS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {"traffic_gb_per_month": "GB", "storage_mb": "MB"},
    "fr": {"traffic_gb_per_month": "Go", "storage_mb": "Mo"},
}


def filters(language: Language, time_zone: str) -> dict[str, Callable[..., str]]:
    """What templates write values by."""
    locale, zone = LOCALES[language], ZoneInfo(time_zone)

    def amount(value: Decimal | int, currency: str | None = None) -> str:
        """Money where there is a currency, with its two places; else a number with at most three."""
        if currency is not None:
            return format_currency(value, currency, locale=locale)
        return format_decimal(value, format="#,##0.###", locale=locale)

    def measured(value: Decimal | int, limit: str) -> str:
        return f"{amount(value)} {_UNITS[language].get(limit, '')}".rstrip()

    def day(value: date) -> str:
        return format_date(value, format="long", locale=locale)

    def moment(value: datetime) -> str:
        return f"{format_datetime(value, 'd MMMM y HH:mm', tzinfo=zone, locale=locale)} ({time_zone})"

    def begin(text: str) -> str:
        return text[:1].upper() + text[1:]

    def named(limit: str) -> str:
        return NAMES[language][limit]

    made: dict[str, Any] = {
        "amount": amount,
        "measured": measured,
        "day": day,
        "moment": moment,
        "begin": begin,
        "named": named,
    }
    return made
