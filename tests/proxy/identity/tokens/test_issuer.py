"""Reading an issuer: only what it published itself, within bounds of size and time."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
from starlette.responses import RedirectResponse, Response, StreamingResponse

from proxy.identity.tokens import issuer as module
from proxy.identity.tokens.issuer import Issuer, KeysUnavailable
from tests.keycloak import Keycloak, Realm


async def unavailable(client: httpx.AsyncClient, realm: Realm) -> str:
    with pytest.raises(KeysUnavailable) as caught:
        await Issuer(realm.issuer, client).keys()
    return str(caught.value)


async def test_keys_are_found_by_discovery(client: httpx.AsyncClient, realm: Realm) -> None:
    assert list(await Issuer(realm.issuer, client).keys()) == [realm.keys[0].kid]


async def test_a_discovery_document_of_another_issuer_is_not_believed(
    client: httpx.AsyncClient, realm: Realm, provider: Keycloak
) -> None:
    realm.discovery["issuer"] = provider.realm().issuer
    assert "another issuer" in await unavailable(client, realm)
    assert realm.asked == 0


@pytest.mark.parametrize("inside", [False, True])
async def test_an_issuer_with_a_public_name_is_read_where_it_is_reached_from_here(
    client: httpx.AsyncClient, realm: Realm, provider: Keycloak, inside: bool
) -> None:
    path = realm.issuer.removeprefix(provider.url)
    realm.issuer = f"https://id.atelier.invalid{path}"
    if inside:
        # As Keycloak does with `hostname-backchannel-dynamic`.
        realm.discovery["jwks_uri"] = f"{provider.url}{path}/protocol/openid-connect/certs"
    assert list(await Issuer(realm.issuer, client, provider.url).keys()) == [realm.keys[0].kid]
    realm.discovery["issuer"] = f"{provider.url}{path}"
    with pytest.raises(KeysUnavailable, match="another issuer"):
        await Issuer(realm.issuer, client, provider.url).keys()


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.2:1/certs",
        "http://localhost/certs",
        "file:///etc/passwd",
        "ftp://127.0.0.1/certs",
        "/certs",
        "",
        None,
        7,
        "http://[",
        "https://user@127.0.0.1:1/certs",
    ],
)
async def test_keys_are_not_fetched_from_elsewhere_without_tls(
    client: httpx.AsyncClient, realm: Realm, uri: object
) -> None:
    realm.discovery["jwks_uri"] = uri
    await unavailable(client, realm)
    assert realm.asked == 0


async def test_keys_are_not_fetched_from_another_origin_even_if_it_is_the_same_machine(
    client: httpx.AsyncClient, realm: Realm
) -> None:
    same = f"{realm.issuer}/protocol/openid-connect/certs"
    realm.discovery["jwks_uri"] = same.replace("127.0.0.1", "localhost")
    assert "neither https" in await unavailable(client, realm)
    assert realm.asked == 0


async def test_keys_may_be_elsewhere_under_https(client: httpx.AsyncClient, realm: Realm) -> None:
    realm.discovery["jwks_uri"] = "https://127.0.0.1:1/certs"
    # It was tried: nothing listens there.
    assert "ConnectError" in await unavailable(client, realm)


@pytest.mark.parametrize("path", ["discovery", "keys"])
async def test_answers_that_are_no_good_are_refused(
    client: httpx.AsyncClient, realm: Realm, provider: Keycloak, path: str
) -> None:
    deep = b"[" * 100_000
    good = orjson.dumps({"keys": [key.jwk for key in realm.keys]})
    for answer in (
        RedirectResponse(provider.realm().issuer),
        Response(status_code=503),
        Response(b"<html>"),
        Response(b""),
        Response(b"[]"),
        Response(b"null"),
        Response(b"\xff"),
        Response(deep),
        Response(good, headers={"content-encoding": "gzip"}),
    ):
        realm.answers[path] = answer
        await unavailable(client, realm)


class Endless(Response):
    """Never ends: by size, or by time where `pause` (seconds) is given."""

    def __init__(self, pause: float) -> None:
        super().__init__()
        self._pause = pause

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        await StreamingResponse(self._pieces())(scope, receive, send)  # type: ignore[arg-type]

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            yield b" " * (1 if self._pause else 65_536)
            await asyncio.sleep(self._pause)


async def test_an_endless_answer_is_cut_by_its_size(client: httpx.AsyncClient, realm: Realm) -> None:
    realm.answers["keys"] = Endless(0)
    assert "too large" in await unavailable(client, realm)


async def test_an_endless_answer_is_cut_in_time(
    client: httpx.AsyncClient, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FETCH_SECONDS", 0.3)
    realm.answers["keys"] = Endless(0.05)
    assert "too long" in await unavailable(client, realm)


async def test_an_issuer_that_is_down_is_unavailable(client: httpx.AsyncClient) -> None:
    with pytest.raises(KeysUnavailable):
        await Issuer("http://127.0.0.1:1/realms/a", client).keys()
