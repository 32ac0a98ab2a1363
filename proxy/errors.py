"""Errors in OpenAI's shape."""

from typing import Any, Final

import orjson


class Refusal(Exception):
    """A request that is answered with an error of ours.

    `message` goes to the client as it is: it never holds a secret or anything of a prompt.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002 - OpenAI's own word
        code: str | None = None,
        param: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.headers = headers

    def body(self) -> bytes:
        error: dict[str, Any] = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        return orjson.dumps({"error": error})


DEFECT: Final = Refusal(
    500, "The server had an error while processing your request.", type="server_error", code="internal_error"
)
"""Of ours: answered like any error."""


def invalid_key(message: str) -> Refusal:
    return Refusal(401, message, code="invalid_api_key", headers=((b"www-authenticate", b"Bearer"),))


def unavailable(message: str, code: str) -> Refusal:
    """Something of ours is out of reach; asking again soon may help."""
    return Refusal(503, message, type="server_error", code=code, headers=((b"retry-after", b"1"),))
