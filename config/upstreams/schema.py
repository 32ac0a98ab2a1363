"""What UPSTREAMS_FILE may say."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    model_validator,
)

from config.urls import check_http_url

OPENAI_URL = "https://api.openai.com/v1"

# Written anew for each call, or a secret: those come from the environment, by `api_key_env`.
_RESERVED_HEADERS = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect",
     "accept-encoding", "authorization", "api-key", "x-api-key", "cookie", "proxy-authorization")
)  # fmt: skip
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _secret(name: object, info: ValidationInfo) -> object:
    """The value of the variable that holds the key; the validation's context is the environment."""
    if name is None:
        return None
    environ: Mapping[str, str] = info.context or {}
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("must be the name of an environment variable")
    value = environ.get(name, "").strip()
    if not value:
        raise ValueError(f"the environment variable {name} is not set")
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"the environment variable {name} holds characters that no header may")
    return value


def _header(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not a name of a header")
        if name.lower() in _RESERVED_HEADERS or name.lower().startswith("proxy-"):
            raise ValueError(f"the header {name} can't be set here")
        if not value.isascii() or not value.isprintable():
            raise ValueError(f"the header {name} holds characters that no header may")
    return headers


Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
ModelName = Annotated[str, Field(min_length=1, max_length=256)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Timeouts(_Section):
    """Seconds: to a connection with its TLS, then to the answer's head, then from one piece of it to the next."""

    connect: Seconds = 5.0
    first_byte: Seconds = 600.0
    between_bytes: Seconds = 120.0


class Entry(_Section):
    """One upstream.

    `models` are patterns with `*` and `?` of names that it serves as they are; `aliases` are names that it serves
    under another name of its own. With neither, it serves every model. Of the upstreams that serve a model, those of
    the lowest `priority` are asked first, each in proportion to its `weight`; the others are fallbacks.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]{1,255}$")]
    kind: Literal["openai", "azure", "compatible"] = "compatible"
    base_url: Annotated[str, AfterValidator(check_http_url)] = OPENAI_URL
    api_version: Annotated[str, Field(pattern=r"^(v1|\d{4}-\d{2}-\d{2}(-preview)?)$")] = "v1"
    api_key: Annotated[SecretStr | None, BeforeValidator(_secret)] = Field(
        None, validation_alias="api_key_env"
    )
    headers: Annotated[dict[str, str], AfterValidator(_header)] = Field(default_factory=dict)
    models: tuple[ModelName, ...] = ()
    aliases: dict[ModelName, ModelName] = Field(default_factory=dict)
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    timeouts: Timeouts = Timeouts()
    max_connections: Annotated[int, Field(ge=1, le=65536)] = 1024

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        given = self.model_fields_set
        if self.kind != "openai" and "base_url" not in given:
            raise ValueError(f"base_url: an upstream of kind {self.kind} needs one")
        if self.kind != "compatible" and self.api_key is None:
            raise ValueError(f"api_key_env: an upstream of kind {self.kind} needs one")
        if self.kind != "azure" and "api_version" in given:
            raise ValueError("api_version: only an upstream of kind azure has one")
        if self.kind == "azure" and "/openai" in self.base_url.partition("://")[2]:
            raise ValueError("base_url: of kind azure, the resource's address without /openai")
        return self


class Retries(_Section):
    """How often one request is tried in all, how long a Retry-After may be to be waited for, and for how long after
    its beginning a request is tried again; seconds."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    longest_wait: Seconds = 2.0
    within: Seconds = 30.0


class Breaker(_Section):
    """After so many failures in a row an upstream is left alone for `cool_down` seconds."""

    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    cool_down: Seconds = 15.0


class Upstreams(_Section):
    """The whole file."""

    upstreams: Annotated[tuple[Entry, ...], Field(min_length=1)]
    retries: Retries = Retries()
    breaker: Breaker = Breaker()

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [entry.name for entry in self.upstreams]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"upstreams: the name {name} is given twice")
        return self


def single(base_url: str, api_key: SecretStr | None, timeouts: Timeouts) -> Upstreams:
    """One upstream for all models, named by its host: what there is without a file."""
    host = urlsplit(base_url).hostname or ""
    entry: dict[str, Any] = {
        "name": host if host.isascii() else host.encode("idna").decode(),
        "base_url": base_url,
        "timeouts": timeouts,
    }
    environ = {}
    if api_key is not None:
        entry["api_key_env"] = "KEY"
        environ["KEY"] = api_key.get_secret_value()
    return Upstreams.model_validate({"upstreams": [entry]}, context=environ)
