"""What is written down of an error: its class and first line, without what is secret."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from config.logs import blacken
from config.settings import Settings

_LONGEST = 300
_SHORTEST_SECRET = 4


class Failure(NamedTuple):
    error: str
    message: str


def failure_of(error: BaseException, settings: Settings) -> Failure:
    """The first line only: what Postgres adds below it are values of rows."""
    text = str(error).strip()
    line = text.splitlines()[0] if text else ""
    for secret in sorted(set(_secrets(settings)), key=len, reverse=True):
        line = line.replace(secret, "***")
    return Failure(type(error).__name__, blacken(line)[:_LONGEST].replace("\0", "\ufffd"))


def _secrets(group: BaseModel) -> Iterator[str]:
    """All secret settings, and the passwords in those that are addresses."""
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _secrets(value)
        elif isinstance(value, SecretStr):
            for secret in _parts(value.get_secret_value()):
                if len(secret) >= _SHORTEST_SECRET:
                    yield secret


def _parts(secret: str) -> Iterator[str]:
    yield secret
    if "://" in secret and (password := urlsplit(secret).password):
        yield password
        yield unquote(password)
