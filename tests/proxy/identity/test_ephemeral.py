"""Ephemeral keys hold what was sealed, for those who have the secret, until they expire."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from proxy.errors import Refusal
from proxy.identity.ephemeral import Pass, Seal, is_ephemeral

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GIVEN = Pass(
    "org_1", "key_1", None, "proj_1", "openai", "ek_theirs", "gpt-realtime", False, int(NOW.timestamp()) + 1
)


def seal(secret: bytes = b"a secret of the tests") -> Seal:
    return Seal(secret, lambda: NOW)


def test_what_one_seals_another_with_the_same_secret_opens() -> None:
    key = seal().seal(GIVEN)
    assert is_ephemeral(key)
    assert seal().open(key) == GIVEN


def test_nothing_of_it_can_be_read_and_no_two_are_alike() -> None:
    keys = {seal().seal(GIVEN) for _ in range(10)}
    assert len(keys) == 10
    assert not any(word in key for key in keys for word in ("theirs", "org_1", "realtime"))


def test_another_secret_opens_nothing() -> None:
    with pytest.raises(Refusal) as refused:
        seal(b"another secret").open(seal().seal(GIVEN))
    assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")


def test_each_changed_character_is_noticed() -> None:
    key = seal().seal(GIVEN)
    for at in range(3, len(key) - 1):
        changed = key[:at] + ("A" if key[at] != "A" else "B") + key[at + 1 :]
        with pytest.raises(Refusal):
            seal().open(changed)


def test_it_ends_at_the_second_it_names() -> None:
    with pytest.raises(Refusal, match="expired"):
        seal().open(seal().seal(replace(GIVEN, expires_at=int(NOW.timestamp()))))
