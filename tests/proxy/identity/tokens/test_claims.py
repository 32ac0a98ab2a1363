"""What a token says is read for the person, or refused; whatever an issuer signs, nothing else happens."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.identity.tokens.claims import LEEWAY_SECONDS, Person, person_of

ISSUER = "https://id.atelier.example/realms/a"
OURS = frozenset({"tollkeeper", "another"})
AT = 1_800_000_000.0
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "5f0c7a5e",
    "typ": "Bearer",
    "exp": AT + 60,
    "iat": AT,
    "aud": ["tollkeeper", "account"],
    "azp": "tollkeeper-app",
    "email": "camille@atelier.example",
    "organization_id": "org_1",
    "organization_role": "billing",
    "realm_access": {"roles": ["USER"]},
    "resource_access": {"tollkeeper": {"roles": ["ADMIN"]}, "elsewhere": {"roles": ["KING"]}},
}


def person(**changes: Any) -> Person:
    return person_of({**CLAIMS, **changes}, ISSUER, OURS, AT)


def test_all_that_a_token_says_of_a_person() -> None:
    assert person() == Person(
        issuer=ISSUER,
        subject="5f0c7a5e",
        email="camille@atelier.example",
        organization_id="org_1",
        organization_role="billing",
        roles=frozenset({"USER", "ADMIN"}),
        expires_at=AT + 60,
    )


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    person(exp=AT - LEEWAY_SECONDS + 1, iat=AT + LEEWAY_SECONDS, nbf=AT + LEEWAY_SECONDS)
    for changes in (
        {"exp": AT - LEEWAY_SECONDS},
        {"iat": AT + LEEWAY_SECONDS + 1},
        {"nbf": AT + LEEWAY_SECONDS + 1},
    ):
        with pytest.raises(Refusal):
            person(**changes)


@pytest.mark.parametrize(
    "email", ["", "nobody", "a@b@c", "a b@c.example", "a\n@c.example", 7, ["a@b.example"]]
)
def test_an_address_that_is_none_is_left_out(email: object) -> None:
    assert person(email=email).email is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.sampled_from(sorted({*CLAIMS, "nbf", "cnf"})), _json, max_size=4))
def test_whatever_is_signed_is_a_person_within_bounds_or_a_refusal(changes: dict[str, Any]) -> None:
    found = judged(changes)
    if isinstance(found, Refusal):
        assert (found.status, found.code) == (401, "invalid_api_key")
        return
    assert found.issuer == ISSUER
    for text in (found.subject, found.email or "a", found.organization_id or "a"):
        assert 0 < len(text) <= 255
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)
    assert found.organization_role in ("owner", "admin", "billing", "member")
    assert not found.expired(AT)


def judged(changes: dict[str, Any]) -> Person | Refusal:
    try:
        return person(**changes)
    except Refusal as refusal:
        return refusal
