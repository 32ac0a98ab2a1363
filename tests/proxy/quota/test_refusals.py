"""What a refusal says: in its status, its code and its headers."""

import pytest

from ledger.limits import Limits
from proxy.quota.admission import Refused
from proxy.quota.limits import LIMITS, Scope
from proxy.quota.refusals import refusal

SCOPE = Scope.of("o:one", Limits())
KINDS = {kind.name: kind for kind in LIMITS}

SAYS = {
    "concurrent_requests": (429, "rate_limit_exceeded", {"retry-after"}),
    "requests_per_minute": (429, "rate_limit_exceeded", {"retry-after", "x-ratelimit-remaining-requests"}),
    "tokens_per_minute": (429, "rate_limit_exceeded", {"retry-after", "x-ratelimit-remaining-tokens"}),
    "requests_per_month": (429, "insufficient_quota", set[str]()),
    "tokens_per_month": (429, "insufficient_quota", {"x-tollkeeper-quota-remaining"}),
    "spend_per_month": (402, "insufficient_quota", set[str]()),
    "traffic_gb_per_month": (429, "insufficient_quota", set[str]()),
    "storage_mb": (429, "insufficient_quota", {"x-should-retry"}),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_limit_refuses_by_its_name(name: str) -> None:
    status, code, wanted = SAYS[name]
    refused = refusal(Refused(SCOPE, KINDS[name], 10**9, 10**9 - 5, 10, 12_000), "EUR")
    assert (refused.status, refused.code) == (status, code)
    assert f"({name})" in refused.message
    said = dict(refused.headers)
    assert wanted <= {header.decode() for header in said}
    assert (b"retry-after" in said) == (code == "rate_limit_exceeded")
    if b"retry-after" in said:
        assert said[b"retry-after"] == b"12"


def test_what_can_never_pass_is_not_told_to_come_again() -> None:
    refused = refusal(Refused(SCOPE, KINDS["tokens_per_minute"], 10, 0, 11, -1), "EUR")
    assert b"retry-after" not in dict(refused.headers)
    assert "ask for a shorter answer" in refused.message


def test_amounts_are_told_in_the_units_of_the_plan() -> None:
    stored = refusal(Refused(SCOPE, KINDS["storage_mb"], 100 * 10**6, 99_500_000, 600_000, -1), "EUR")
    assert "Limit 100.000000 MB, used and held 99.500000 MB, needed 0.600000 MB." in stored.message
    spent = refusal(Refused(SCOPE, KINDS["spend_per_month"], 10**9, 10**9, 1, 0), "EUR")
    assert "Limit 1.000000000 EUR" in spent.message
