"""The HTTP client for whatever is no upstream: on the same ways out as those, by the same authorities."""

import ssl
from typing import NamedTuple

import httpx

from config.settings import Outbound
from config.way_out import WebProxy, proxy_for


def open_client(outbound: Outbound, seconds: float) -> httpx.AsyncClient:
    """Each wait lasts `seconds` at most. Servers are verified by the system's authorities. Follows no redirects. To be
    closed.
    """
    return httpx.AsyncClient(transport=_WaysOut(outbound), timeout=seconds, trust_env=False)


class _Place(NamedTuple):
    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: httpx.URL) -> "_Place":
        tls = url.scheme == "https"
        return cls(url.raw_host.decode("ascii"), url.port or (443 if tls else 80), tls)


class _WaysOut(httpx.AsyncBaseTransport):
    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._tls = ssl.create_default_context()
        self._transports: dict[WebProxy | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = proxy_for(_Place.of(request.url), self._outbound)
        if proxy not in self._transports:
            self._transports[proxy] = self._open(proxy)
        return await self._transports[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()

    def _open(self, proxy: WebProxy | None) -> httpx.AsyncHTTPTransport:
        if proxy is None:
            return httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
        headers = {} if proxy.authorization is None else {b"proxy-authorization": proxy.authorization}
        through = httpx.Proxy(f"http://{host}:{proxy.port}", headers=headers)
        return httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, proxy=through)
