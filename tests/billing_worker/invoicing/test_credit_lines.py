from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_worker.invoicing.credit_lines import of_amount, shares, whole
from ledger.errors import ConflictError
from ledger.invoice import Invoice, VatShare
from ledger.invoice_totals import totals
from tests.billing_worker.documents.invoices import invoice
from tests.billing_worker.invoicing.test_late import line

CENT = Decimal("0.01")
amounts = st.decimals("0.01", 500, places=2)


def billed(net: Decimal, rate: Decimal) -> Invoice:
    lines = (replace(line("o3", net), vat_rate=rate),)
    sums = totals(lines)
    return replace(
        invoice(), lines=lines, vat=sums.vat, net=sums.net, vat_total=sums.vat_total, gross=sums.gross
    )


@given(amounts, st.sampled_from(["20", "8.5", "5.5", "2.1"]), st.lists(amounts, max_size=8))
def test_credits_never_pass_the_invoice_and_all_of_it_is_its_vat_to_the_cent(
    net: Decimal, rate: str, wished: list[Decimal]
) -> None:
    made = billed(net, Decimal(rate))
    given_back: list[VatShare] = []
    for wish in wished:
        try:
            [share] = shares(made, given_back, of_amount(made, wish, None))
        except ConflictError:
            continue
        assert abs(share.amount - share.base * share.rate / 100) <= CENT
        given_back.append(share)
    assert sum(share.base for share in given_back) <= made.net
    rest = whole(made, given_back)
    given_back += shares(made, given_back, rest) if rest else ()
    assert sum(share.base for share in given_back) == made.net
    assert sum(share.amount for share in given_back) == made.vat_total


def test_more_than_is_left_is_refused() -> None:
    made = billed(Decimal("10.00"), Decimal(20))
    first = shares(made, [], of_amount(made, Decimal("9.99"), None))
    with pytest.raises(ConflictError, match=r"0\.01 EUR"):
        shares(made, first, of_amount(made, Decimal("0.02"), None))
