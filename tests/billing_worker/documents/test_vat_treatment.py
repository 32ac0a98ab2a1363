from decimal import Decimal
from typing import Any

import pytest

from billing_worker.documents.vat_treatment import VatTreatment, vat_treatment


def treatment(buyer: str, *, confirmed: bool = False, seller: str = "FR", **rest: Any) -> VatTreatment:
    return vat_treatment(seller, buyer, "fr", buyer_vat_number_confirmed=confirmed, **rest)


@pytest.mark.parametrize(
    ("found", "category", "rate", "code", "law"),
    [
        (treatment("FR"), "S", "20", None, None),
        (treatment("FR", confirmed=True), "S", "20", None, None),
        (treatment("FR", rate=Decimal("5.5")), "S", "5.5", None, None),
        (treatment("MC", confirmed=True), "S", "20", None, None),
        (treatment("FR", franchise=True), "E", "0", "VATEX-FR-FRANCHISE", "article 293 B"),
        (treatment("DE", confirmed=True), "AE", "0", "VATEX-EU-AE", "article 283-2"),
        (treatment("DE", confirmed=True, franchise=True), "AE", "0", "VATEX-EU-AE", "article 283-2"),
        (treatment("DE"), "S", "20", None, None),
        (treatment("DE", franchise=True), "E", "0", "VATEX-FR-FRANCHISE", "article 293 B"),
        (treatment("US"), "O", "0", "VATEX-EU-O", "article 259-1"),
        (treatment("GB", confirmed=True), "O", "0", "VATEX-EU-O", "article 259-1"),
        (treatment("CH", buyer_is_business=False), "O", "0", "VATEX-EU-O", "article 259 D"),
        (treatment("RE"), "S", "8.5", None, None),
        (treatment("YT"), "E", "0", None, "article 294"),
        (treatment("FR", seller="DE", confirmed=True), "AE", "0", "VATEX-EU-AE", "article 196"),
        (treatment("US", seller="DE"), "O", "0", "VATEX-EU-O", "articles 44 et 58"),
        (treatment("DE", seller="DE", rate=Decimal(19)), "S", "19", None, None),
    ],
)
def test_a_service_bears_the_vat_of_where_it_is_used(
    found: VatTreatment, category: str, rate: str, code: str | None, law: str | None
) -> None:
    assert (found.category, found.rate) == (category, Decimal(rate))
    if law is None:
        assert found.exemptions == {}
    else:
        assert found.exemption is not None
        assert found.exemption.code == code
        assert law in found.exemption.reason


def test_a_reverse_charge_is_said_by_its_name_in_both_languages() -> None:
    reasons = [
        vat_treatment("FR", "IT", language, buyer_vat_number_confirmed=True).exemptions["AE"].reason
        for language in ("fr", "en")
    ]
    assert reasons[0].startswith("Autoliquidation")
    assert reasons[1].startswith("Reverse charge")


def test_a_seller_outside_the_union_is_refused() -> None:
    with pytest.raises(ValueError, match="seller country 'US'"):
        treatment("FR", seller="US")
