from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from ledger.invoice import InvoiceLine, VatCategory
from ledger.invoice_totals import Exemption, line_net, totals, vat_amount
from ledger.periods import Period

MARCH = Period(datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))
AMOUNTS = st.decimals(Decimal("-99999.99"), Decimal("99999.99"), places=2)
RATES = st.sampled_from([Decimal("20"), Decimal("10"), Decimal("5.5"), Decimal("2.1")])


def line(net: str | Decimal, rate: str | Decimal = "20", category: VatCategory = "S") -> InvoiceLine:
    return InvoiceLine(
        kind="usage",
        description="gpt-5",
        quantity=Decimal(1),
        unit="C62",
        unit_price=Decimal(net),
        base_quantity=Decimal(1),
        net=Decimal(net),
        vat_category=category,
        vat_rate=Decimal(rate),
        period=MARCH,
        organization_id="acme",
    )


def test_vat_is_rounded_once_for_the_document_and_not_by_line() -> None:
    nets = ["68.33", "68.33", "57.50", "85.00"]
    document = totals([line(net) for net in nets])
    assert (document.net, document.vat_total, document.gross) == (
        Decimal("279.16"),
        Decimal("55.83"),
        Decimal("334.99"),
    )
    assert sum(vat_amount(Decimal(net), Decimal(20)) for net in nets) == Decimal("55.84")


def test_each_category_and_rate_has_its_share() -> None:
    exempt = Exemption("VATEX-EU-AE", "Autoliquidation")
    document = totals(
        [line("10.00", "5.5"), line("3.00", "0", "AE"), line("1.00"), line("2.00")], {"AE": exempt}
    )
    assert [(share.category, share.rate, share.base, share.amount) for share in document.vat] == [
        ("AE", Decimal(0), Decimal("3.00"), Decimal("0.00")),
        ("S", Decimal(20), Decimal("3.00"), Decimal("0.60")),
        ("S", Decimal("5.5"), Decimal("10.00"), Decimal("0.55")),
    ]
    assert [(share.exemption_code, share.exemption) for share in document.vat] == [
        ("VATEX-EU-AE", "Autoliquidation"),
        (None, None),
        (None, None),
    ]


def test_a_document_without_lines_is_of_nothing() -> None:
    document = totals([])
    assert document.vat == ()
    assert (document.net, document.vat_total, document.gross) == (Decimal(0), Decimal(0), Decimal(0))


def test_a_rate_is_the_same_however_it_is_written() -> None:
    assert len(totals([line("1.00", "20"), line("1.00", "20.00")]).vat) == 1


@given(st.lists(st.tuples(AMOUNTS, RATES), max_size=30), st.randoms())
def test_net_and_vat_are_gross_in_any_order_of_lines(
    rows: list[tuple[Decimal, Decimal]], random: object
) -> None:
    lines = [line(net, rate) for net, rate in rows]
    document = totals(lines)
    assert document.net + document.vat_total == document.gross
    assert document.net == sum((net for net, _ in rows), Decimal(0))
    random.shuffle(lines)  # type: ignore[attr-defined]
    assert totals(lines) == document


@given(st.lists(st.tuples(AMOUNTS, RATES), max_size=30))
def test_a_credit_of_all_is_the_mirror_of_what_it_credits(rows: list[tuple[Decimal, Decimal]]) -> None:
    document, mirror = (
        totals(line(net, rate) for net, rate in rows),
        totals(line(-net, rate) for net, rate in rows),
    )
    assert (mirror.net, mirror.vat_total, mirror.gross) == (
        -document.net,
        -document.vat_total,
        -document.gross,
    )


def test_thousand_rows_of_half_a_cent_are_five() -> None:
    assert line_net(Decimal(1000), Decimal("0.005")) == Decimal("5.00")


@given(
    st.integers(-(10**15), 10**15), st.decimals(0, 10**6, places=6), st.sampled_from([1, 3, 1000, 1_000_000])
)
def test_a_line_is_off_by_half_a_cent_at_most_and_a_half_goes_away_from_zero(
    quantity: int, price: Decimal, base: int
) -> None:
    net = line_net(Decimal(quantity), price, Decimal(base))
    micros = quantity * int(price * 1_000_000)
    unit = base * 10_000  # of a cent
    assert abs(int(net * 100) * unit - micros) * 2 <= unit
    assert net == -line_net(Decimal(-quantity), price, Decimal(base))
    if base == 1:
        assert net == Decimal(micros).scaleb(-6).quantize(Decimal("0.01"), ROUND_HALF_UP)
