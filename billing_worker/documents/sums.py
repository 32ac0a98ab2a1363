"""Does an invoice add up? To the cent, which the official rules do not ask. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from billing_worker.documents.facts import InvoiceFacts, LineFacts
from billing_worker.documents.finding import Finding
from ledger.invoice_totals import ZERO, line_net, vat_amount

_CENT = Decimal("0.01")


def findings(facts: InvoiceFacts) -> Iterator[Finding]:
    """Every sum that is not what its parts are."""
    for position, line in enumerate(facts.lines, 1):
        yield from _line(position, line)
    yield from _vat(facts)
    yield from _compared(
        "SUM-LINES", "total of lines", facts.line_total, _sum(line.net for line in facts.lines)
    )
    yield from _compared("SUM-NET", "net", facts.net, facts.line_total)
    yield from _compared("SUM-VAT", "VAT", facts.vat_total, _sum(share.amount for share in facts.vat))
    yield from _compared("SUM-GROSS", "gross", facts.gross, facts.net + facts.vat_total)
    yield from _compared("SUM-DUE", "due", facts.due, facts.gross - facts.paid)


def _line(position: int, line: LineFacts) -> Iterator[Finding]:
    due = line_net(line.quantity, line.unit_price, line.base_quantity)
    yield from _compared("SUM-LINE", f"net of line {position}", line.net, due)


def _vat(facts: InvoiceFacts) -> Iterator[Finding]:
    bases: dict[tuple[str, Decimal], Decimal] = defaultdict(lambda: ZERO)
    for line in facts.lines:
        bases[line.vat_category, line.vat_rate] += line.net
    said = {(share.category, share.rate): share for share in facts.vat}
    if said.keys() != bases.keys() or len(said) != len(facts.vat):
        yield Finding("sums", "SUM-SHARES", "the shares of VAT are not those of the lines")
        return
    for key, share in said.items():
        name = f"{share.category} {share.rate} %"
        yield from _compared("SUM-BASE", f"VAT base of {name}", share.base, bases[key])
        due = vat_amount(share.base, share.rate)
        # Several credit notes together give back the VAT of their invoice, so one may be a cent off by itself.
        if facts.preceding is None or abs(share.amount - due) > _CENT:
            yield from _compared("SUM-SHARE", f"VAT of {name}", share.amount, due)


def _sum(amounts: Iterator[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def _compared(rule: str, name: str, said: Decimal, due: Decimal) -> Iterator[Finding]:
    if said != due:
        yield Finding("sums", rule, f"{name} is {said}, and should be {due}")
