"""OpenAI's errors: status, body and headers as the real service sends them."""

from collections.abc import Sequence
from typing import Any

import orjson

Headers = Sequence[tuple[bytes, bytes]]


class ApiError(Exception):
    """A refusal. `type`, `param` and `code` are the members of OpenAI's error object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002 — OpenAI's own word
        param: str | None = None,
        code: str | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.detail: dict[str, Any] = {"message": message, "type": type, "param": param, "code": code}

    @property
    def body(self) -> bytes:
        return orjson.dumps({"error": self.detail}, option=orjson.OPT_INDENT_2)


def invalid_type(param: str, expected: str, got: object) -> ApiError:
    return ApiError(
        400,
        f"Invalid type for '{param}': expected {expected}, but got {_kind(got)} instead.",
        param=param,
        code="invalid_type",
    )


def invalid_value(param: str, message: str, code: str = "invalid_value") -> ApiError:
    return ApiError(400, f"Invalid '{param}': {message}", param=param, code=code)


def missing(param: str) -> ApiError:
    return ApiError(
        400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def no_key() -> ApiError:
    return ApiError(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using "
        "Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) "
        "if you're accessing the API from your browser and are prompted for a username and password. You "
        "can obtain an API key from https://platform.openai.com/account/api-keys.",
    )


def wrong_key() -> ApiError:
    # The real service shows a part of the key; a simulator has no reason to.
    return ApiError(
        401,
        "Incorrect API key provided. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
    )


def unreadable_body() -> ApiError:
    return ApiError(
        400,
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your "
        "HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid "
        "JSON. If you have trouble figuring out how to fix this, please contact us through our help center "
        "at help.openai.com.)",
    )


def unknown_url(method: str, path: str) -> ApiError:
    return ApiError(404, f"Invalid URL ({method} {path})")


def wrong_method(method: str, path: str) -> ApiError:
    return ApiError(
        405,
        f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)",
        code="method_not_supported",
    )


def unknown_model(model: str) -> ApiError:
    return ApiError(
        404,
        f"The model `{model}` does not exist or you do not have access to it.",
        code="model_not_found",
    )


def requested_status(status: int, model: str, request_id: str, retry_after: int | None) -> ApiError:
    """The error that a caller asked for with `status=`."""
    headers = [] if retry_after is None else [(b"retry-after", b"%d" % retry_after)]
    match status:
        case 429:
            message = (
                f"Rate limit reached for {model} in organization org-simulated on tokens per min (TPM): "
                f"Limit 30000, Used 30000, Requested 100. Please try again in {retry_after or 1}s. Visit "
                "https://platform.openai.com/account/rate-limits to learn more."
            )
            return ApiError(429, message, type="tokens", code="rate_limit_exceeded", headers=headers)
        case 401:
            return wrong_key()
        case 404:
            return unknown_model(model)
        case 503:
            return ApiError(
                503,
                "The engine is currently overloaded, please try again later",
                type="server_error",
                code="service_unavailable",
                headers=headers,
            )
        case _ if status >= 500:
            return ApiError(status, server_error_message(request_id), type="server_error", headers=headers)
        case _:
            return ApiError(status, f"Simulated refusal with status {status}.", headers=headers)


def server_error_message(request_id: str) -> str:
    return (
        "The server had an error processing your request. Sorry about that! You can retry your request, or "
        "contact us through our help center at help.openai.com if you keep seeing this error. (Please "
        f"include the request ID {request_id} in your email.)"
    )


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
