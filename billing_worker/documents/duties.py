"""What the law wants on an invoice and EN 16931 does not ask: who and when. Pure.

Directive 2006/112/EC, article 226; Code général des impôts, annex II, article 242 nonies A; Code de commerce, L441-9.
"""

from collections.abc import Iterator

from billing_worker.documents.facts import InvoiceFacts, PartyFacts
from billing_worker.documents.finding import Finding

_CHARGED, _REVERSED = "S", "AE"
_CREDIT_NOTE = "381"


def findings(facts: InvoiceFacts) -> Iterator[Finding]:
    """Every duty that is not met. Of buyers who are not known to be businesses less is asked."""
    categories = {share.category for share in facts.vat}
    if not _has_address(facts.seller):
        yield _finding("SELLER-ADDRESS", "the seller has no address")
    if facts.seller.vat_number is None and categories & {_CHARGED, _REVERSED}:
        yield _finding(
            "SELLER-VAT", "the seller charges VAT, or leaves it to the buyer, without a VAT number"
        )
    if (facts.buyer.siren or facts.buyer.vat_number) and not _has_address(facts.buyer):
        yield _finding("BUYER-ADDRESS", "the buyer, a business, has no address")
    if facts.buyer.vat_number is None and _REVERSED in categories:
        yield _finding("BUYER-VAT", "VAT is left to a buyer without a VAT number")
    if facts.due_on is None and facts.type_code != _CREDIT_NOTE:
        yield _finding("DUE-DATE", "there is no date at which it is due")


def _has_address(party: PartyFacts) -> bool:
    return party.city is not None and bool(party.lines or party.postal_code)


def _finding(rule: str, message: str) -> Finding:
    return Finding("law", rule, message)
