"""`python -m loadtests.guard.reference PORT`: a server that does the same piece of work for each call, for ever.

It is made of what the proxy is made of (CPython, uvicorn on httptools and uvloop, orjson), so that a faster machine,
or a slower one, is faster or slower for both. Changing anything here makes every stored ratio worthless.
"""

import hashlib
import hmac
import sys
from typing import Any, Final

import orjson
import uvicorn

_ROUNDS: Final = 40
_SECRET: Final = b"the secret of the reference"


def work(body: bytes) -> bytes:
    """Reads JSON, hashes, makes and unmakes small objects as a proxy does, writes JSON."""
    asked = orjson.loads(body)
    digest = hmac.digest(_SECRET, body, hashlib.sha256).hex()
    counted: dict[str, int] = {}
    for number in range(_ROUNDS):
        name = f"limit:{number % 7}:{digest[:4]}"
        parts = [part.strip() for part in name.split(":")]
        counted[name] = counted.get(name, 0) + len(parts) * number
    return orjson.dumps(
        {"digest": digest, "counted": counted, "model": asked.get("model"), "padding": "-" * 400}
    )


async def answer(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    told = work(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(told)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": told})


def main() -> None:
    port = int(sys.argv[1])
    uvicorn.run(
        answer, port=port, http="httptools", loop="uvloop", lifespan="off", log_config=None, access_log=False
    )


if __name__ == "__main__":
    main()
