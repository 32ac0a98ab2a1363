"""The key that a caller shows."""

from collections.abc import Mapping
from hmac import compare_digest


def credential(headers: Mapping[str, str]) -> str | None:
    """The key as OpenAI takes it (`authorization`), or as Azure does (`api-key`)."""
    if key := headers.get("api-key"):
        return key
    given = headers.get("authorization", "")
    return given[7:].strip() or None if given.startswith("Bearer ") else None


def is_expected(headers: Mapping[str, str], expected: str | None) -> bool | None:
    """None where no key is expected."""
    if expected is None:
        return None
    return compare_digest((credential(headers) or "").encode(), expected.encode())
