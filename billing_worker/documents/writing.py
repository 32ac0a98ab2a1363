"""Amounts, rates and days as a language writes them. Pure."""

from datetime import date
from decimal import Decimal

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from billing_worker.documents.labels import LABELS, Labels
from ledger.invoice import Language

_NARROW, _BLANK = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"


class Writing:
    """In one language. Amounts have two places; quantities and prices all that they have."""

    def __init__(self, language: Language) -> None:
        self.labels: Labels = LABELS[language]
        self._locale = Locale.parse(self.labels.locale)

    def amount(self, amount: Decimal) -> str:
        """Without its currency, for columns."""
        return self._number(amount, "#,##0.00")

    def money(self, amount: Decimal, currency: str) -> str:
        return _widened(format_currency(amount, currency, self.labels.money, self._locale))

    def price(self, price: Decimal) -> str:
        return self._number(price, "#,##0.00####")

    def small_amount(self, amount: Decimal) -> str:
        """With four places, for what is not rounded to cents yet."""
        return self._number(amount, "#,##0.0000")

    def quantity(self, quantity: Decimal | int) -> str:
        return self._number(quantity, "#,##0.####")

    def rate(self, rate: Decimal) -> str:
        return f"{self._number(rate, '#,##0.####')}{_BLANK}%"

    def exchange_rate(self, rate: Decimal) -> str:
        return self._number(rate, "#,##0.00######")

    def day(self, day: date) -> str:
        return self._day(day, "d MMMM y")

    def short_day(self, day: date) -> str:
        return format_date(day, "dd/MM/yyyy", self._locale)

    def span(self, first: date, last: date) -> str:
        """Of days that both belong to it; a month or a year that they share is said once."""
        if first.year != last.year or first == last:
            pattern = "d MMMM y"
        else:
            pattern = "d" if first.month == last.month else "d MMMM"
        return self.labels.span.format(first=self._day(first, pattern), last=self.day(last))

    def country(self, code: str) -> str:
        return str(self._locale.territories.get(code, code))

    def _day(self, day: date, pattern: str) -> str:
        written = format_date(day, pattern, self._locale)
        return f"1er{written[1:]}" if self._locale.language == "fr" and day.day == 1 else written

    def _number(self, number: Decimal | int, pattern: str) -> str:
        return _widened(format_decimal(number, pattern, self._locale))


def _widened(written: str) -> str:
    """With blanks that are seen: a narrow one is hardly any in our font."""
    return written.replace(_NARROW, _BLANK)
