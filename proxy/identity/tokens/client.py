"""The HTTP client that issuers are read with: on the same ways out as upstreams are, by the same authorities."""

import ssl

import httpx

from config.settings import Outbound
from proxy.identity.tokens.issuer import FETCH_SECONDS
from proxy.upstream.origin import Origin
from proxy.upstream.way_out import WebProxy, proxy_for


def open_client(outbound: Outbound) -> httpx.AsyncClient:
    """Servers are verified against the system's authorities. Follows no redirects. To be closed."""
    return httpx.AsyncClient(transport=_WaysOut(outbound), timeout=FETCH_SECONDS, trust_env=False)


class _WaysOut(httpx.AsyncBaseTransport):
    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._tls = ssl.create_default_context()
        self._transports: dict[WebProxy | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = proxy_for(Origin.parse(str(request.url.copy_with(query=None))), self._outbound)
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
