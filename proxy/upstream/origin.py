"""Where an upstream is."""

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Origin:
    """One server, and the path under which its API stands (no slash at the end, empty for the root)."""

    host: str
    port: int
    tls: bool
    base_path: str

    @classmethod
    def parse(cls, url: str) -> "Origin":
        """From a URL as `https://api.openai.com/v1`. Raises ValueError for one without host, or with more."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an upstream's URL begins with http:// or https:// and names a host")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("an upstream's URL has no user, query or fragment")
        tls = parts.scheme == "https"
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
        return cls(host, parts.port or (443 if tls else 80), tls, parts.path.rstrip("/"))

    @property
    def authority(self) -> bytes:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = self.port == (443 if self.tls else 80)
        return (host if default else f"{host}:{self.port}").encode("ascii")

    def target(self, path: bytes) -> bytes:
        """The request target of a path (with its query) that is given from the base path on."""
        return self.base_path.encode("ascii") + path

    def tls_context(self) -> ssl.SSLContext | None:
        """Verifies the server against the system's authorities; None where the origin is plain HTTP."""
        if not self.tls:
            return None
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context
