"""The credential that a request carries."""

from collections.abc import Iterable

from proxy.errors import invalid_key


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The token of `Authorization: Bearer`, or else of `api-key`, as Azure's clients send it. Raises Refusal 401 where
    there is none, or more than one."""
    found, keys = [], []
    for name, value in headers:
        if name == b"authorization":
            found.append(value)
        elif name == b"api-key":
            keys.append(value)
    if not found:
        if len(keys) == 1 and (key := keys[0].decode("latin-1").strip()):
            return key
        raise invalid_key(
            "You didn't provide an API key. Provide it in an Authorization header using Bearer auth "
            "(i.e. Authorization: Bearer YOUR_KEY)."
        )
    if len(found) > 1:
        raise invalid_key("More than one Authorization header was sent.")
    scheme, _, token = found[0].decode("latin-1").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise invalid_key("The Authorization header must have the form: Bearer YOUR_KEY.")
    return token
