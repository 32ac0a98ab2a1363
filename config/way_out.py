"""Through which web proxy, if any, an origin is reached. Pure."""

import base64
import ipaddress
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote, urlsplit

from config.settings import Outbound


class Origin(Protocol):
    """A server that is to be reached."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def tls(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class WebProxy:
    """`authorization` is the value of Proxy-Authorization."""

    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "WebProxy":
        parts = urlsplit(url)
        authorization = None
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = b"Basic " + base64.b64encode(pair.encode())
        return cls(parts.hostname or "", parts.port or 80, authorization)


def proxy_for(origin: Origin, outbound: Outbound) -> WebProxy | None:
    """Never one for this machine itself, nor for what NO_PROXY names."""
    chosen = outbound.https_proxy if origin.tls else outbound.http_proxy
    if chosen is None or _is_near(origin.host) or _is_exempt(origin, outbound.no_proxy):
        return None
    return WebProxy.parse(chosen.get_secret_value())


def _is_near(host: str) -> bool:
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _is_exempt(origin: Origin, no_proxy: str) -> bool:
    """Entries, separated by commas: `*`, a host with all below it, an address, a network; each may name a port."""
    host = origin.host.lower()
    address = _address(host)
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        if entry == "*":
            return True
        name, colon, port = entry.rpartition(":")
        if colon and port.isdigit() and (":" not in name or name.endswith("]")):
            if int(port) != origin.port:
                continue
            entry = name
        entry = entry.strip("[]").removeprefix("*").lstrip(".")
        if not entry:
            continue
        if address is not None:
            if _within(address, entry):
                return True
        elif host == entry or host.endswith("." + entry):
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
