"""The realm that operators import; what it does in a Keycloak is proven by `make test-keycloak`."""

from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

import config
from ledger.members import Role
from proxy.identity.tokens.claims import ADMIN_ROLE

FOLDER = Path(config.__file__).parent / "keycloak"


@pytest.fixture
def realm() -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads((FOLDER / "tollkeeper-realm.json").read_bytes())
    return read


def test_it_brings_neither_users_nor_secrets(realm: dict[str, Any]) -> None:
    assert not {"users", "federatedUsers"} & realm.keys()
    assert all("secret" not in client for client in realm["clients"])
    assert all("privateKey" not in str(component) for component in realm["components"].values())


def test_nobody_comes_by_a_password_or_without_a_proof(realm: dict[str, Any]) -> None:
    for client in realm["clients"]:
        assert not client["directAccessGrantsEnabled"]
        if client["publicClient"]:
            assert client["attributes"]["pkce.code.challenge.method"] == "S256"


def test_its_words_are_ours(realm: dict[str, Any]) -> None:
    (provider,) = realm["components"]["org.keycloak.userprofile.UserProfileProvider"]
    (text,) = provider["config"]["kc.user.profile.config"]
    profile = {attribute["name"]: attribute for attribute in orjson.loads(text)["attributes"]}
    offered = profile["organization_role"]["validations"]["options"]["options"]
    assert sorted(offered) == sorted(get_args(Role))
    for name in ("organization_id", "organization_role"):
        assert profile[name]["permissions"]["edit"] == ["admin"]
    assert ADMIN_ROLE in {role["name"] for role in realm["roles"]["realm"]}
