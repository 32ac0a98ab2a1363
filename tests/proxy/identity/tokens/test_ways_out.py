"""Issuers are read on the ways out that the settings name, and only from who proves to be them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import orjson
import pytest

from config.outbound_client import open_client
from config.settings import load_settings
from proxy.identity.tokens.issuer import FETCH_SECONDS, Issuer, KeysUnavailable
from proxy.identity.tokens.signing_keys import SigningKey
from proxy.upstream.origin import Origin
from tests.keycloak import Key, Realm
from tests.proxy.upstream.certificate import PEM, server_context
from tests.proxy.upstream.raw_server import Behaviour, Peer, RawServer

Start = Callable[..., Awaitable[Origin]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    servers: list[RawServer] = []

    async def start(behaviour: Behaviour, *, tls: bool = False) -> Origin:
        servers.append(RawServer(behaviour))
        return await servers[-1].start(server_context() if tls else None)

    yield start
    for server in servers:
        await server.stop()


async def read(issuer: str, **environ: str) -> dict[str, SigningKey]:
    async with open_client(load_settings(environ).outbound, FETCH_SECONDS) as client:
        return await Issuer(issuer, client).keys()


async def an_issuer(peer: Peer) -> None:
    while True:
        head = (await peer.head()).decode().lower()
        issuer = "https://" + head.partition("host: ")[2].partition("\r\n")[0] + "/realms/a"
        keys = {"keys": [Key("ours").jwk]}
        document = {"issuer": issuer, "jwks_uri": f"{issuer}/certs"} if ".well-known" in head else keys
        body = orjson.dumps(document)
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


@pytest.mark.parametrize("known", [True, False])
async def test_an_issuer_proves_who_it_is_to_the_authorities_of_the_system(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, known: bool
) -> None:
    (tmp_path / "none.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM if known else tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    origin = await start(an_issuer, tls=True)
    issuer = f"https://127.0.0.1:{origin.port}/realms/a"
    if known:
        assert list(await read(issuer)) == ["ours"]
    else:
        with pytest.raises(KeysUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await read(issuer)


@pytest.mark.parametrize(
    ("issuer", "asked"),
    [
        ("https://id.atelier.invalid/realms/a", b"CONNECT id.atelier.invalid:443 HTTP/1.1\r\n"),
        ("http://id.atelier.invalid/realms/a", b"GET http://id.atelier.invalid/realms/a/.well-known/"),
    ],
)
async def test_the_web_proxy_of_the_settings_is_used_and_told_its_password(
    start: Start, issuer: str, asked: bytes
) -> None:
    heads: list[bytes] = []

    async def refuse(peer: Peer) -> None:
        heads.append(await peer.head())
        await peer.say(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")

    proxy = f"http://me:pw@{(await start(refuse)).authority.decode()}"
    with pytest.raises(KeysUnavailable, match="502") as caught:
        await read(issuer, HTTP_PROXY=proxy, HTTPS_PROXY=proxy)
    [head] = heads
    assert head.startswith(asked)
    assert head.lower().count(b"proxy-authorization: basic bwu6chc=\r\n") == 1
    assert "pw" not in str(caught.value)


async def test_this_machine_is_reached_straight_whatever_the_environment_says(
    realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert len(await read(realm.issuer, HTTP_PROXY="http://127.0.0.1:1")) == 1
