"""Whether a part answers."""

import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

PROBE_SECONDS = 2.0


def http_ok(url: str) -> Callable[[int], bool]:
    """A probe for Program.ready: GET on `url` answers 200."""
    parts = urlsplit(url)

    def ready(_pid: int) -> bool:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", parts.path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ready


def started(_pid: int) -> bool:
    """A probe for programs that serve nobody: running is enough."""
    return True
