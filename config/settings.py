"""All settings, read once from the environment and a .env file into immutable groups.

`load_settings` is the only reader; everything else is given a `Settings`. Names are listed with their
meaning in the README. Secrets are `SecretStr`, so that printing the settings shows none.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from config.issuers import Keycloak
from config.mail_address import check_mail_address
from config.upstreams.file import UpstreamsFileError, read_upstreams
from config.upstreams.schema import OPENAI_URL, Seconds, Timeouts, Upstreams, single
from config.urls import (
    check_archive_url,
    check_postgres_url,
    check_proxy_url,
    check_redis_url,
    check_smtp_url,
)
from config.values import Group, HttpUrl, LocalPath, OneAllowed, Origin, Port, split

PREFIX = "TOLLKEEPER_"
MEBIBYTE = 1024 * 1024


class SettingsError(ValueError):
    """A setting is unknown or bad; the message is one line that names it."""


class Stores(Group):
    """Where state lives. URLs are absent when `up` is to start the embedded engines."""

    database_url: Annotated[SecretStr, AfterValidator(check_postgres_url)] | None = Field(
        None, alias="DATABASE_URL"
    )
    redis_url: Annotated[SecretStr, AfterValidator(check_redis_url)] | None = Field(None, alias="REDIS_URL")
    redis_timeout_ms: int = Field(250, ge=1, le=60_000, alias="TOLLKEEPER_REDIS_TIMEOUT_MS")


class Upstream(Group):
    """Who answers the calls: the upstreams of a file, or one. Timeouts are that one's, in seconds."""

    base_url: HttpUrl = Field(OPENAI_URL, alias="OPENAI_BASE_URL")
    api_key: SecretStr | None = Field(None, alias="OPENAI_API_KEY")
    file: LocalPath | None = Field(None, alias="UPSTREAMS_FILE")
    connect_timeout: Seconds = Field(5.0, alias="TOLLKEEPER_UPSTREAM_CONNECT_TIMEOUT_SECONDS")
    first_byte_timeout: Seconds = Field(600.0, alias="TOLLKEEPER_UPSTREAM_FIRST_BYTE_TIMEOUT_SECONDS")
    between_bytes_timeout: Seconds = Field(120.0, alias="TOLLKEEPER_UPSTREAM_BETWEEN_BYTES_TIMEOUT_SECONDS")
    listed: Upstreams | None = None
    """What the file says."""

    @property
    def chosen(self) -> bool:
        """Whether the user named an upstream; `up` starts a simulated one otherwise."""
        return not self.model_fields_set.isdisjoint({"base_url", "api_key", "file"})

    @property
    def all(self) -> Upstreams:
        timeouts = Timeouts(
            connect=self.connect_timeout,
            first_byte=self.first_byte_timeout,
            between_bytes=self.between_bytes_timeout,
        )
        return self.listed or single(self.base_url, self.api_key, timeouts)


class Outbound(Group):
    """The proxies on the way out to the upstreams, as other programs are told of them."""

    http_proxy: Annotated[SecretStr, AfterValidator(check_proxy_url)] | None = Field(None, alias="HTTP_PROXY")
    https_proxy: Annotated[SecretStr, AfterValidator(check_proxy_url)] | None = Field(
        None, alias="HTTPS_PROXY"
    )
    no_proxy: str = Field("", alias="NO_PROXY")


class Stripe(Group):
    api_key: SecretStr | None = Field(None, alias="STRIPE_API_KEY")
    webhook_secret: SecretStr | None = Field(None, alias="STRIPE_WEBHOOK_SECRET")
    api_base: HttpUrl = Field("https://api.stripe.com", alias="STRIPE_API_BASE")


class Payments(Group):
    backend_url: HttpUrl | None = Field(None, alias="PAYMENT_BACKEND_URL")
    api_key: SecretStr | None = Field(None, alias="PAYMENT_API_KEY")
    callback_secret: SecretStr | None = Field(None, alias="PAYMENT_CALLBACK_SECRET")


class Sources(Group):
    """Where published figures are read again and again; absent, what is shipped stays as it is."""

    exchange_rates_url: HttpUrl | None = Field(None, alias="TOLLKEEPER_EXCHANGE_RATES_URL")
    prices_url: HttpUrl | None = Field(None, alias="TOLLKEEPER_PRICES_URL")
    prices_file: LocalPath | None = Field(None, alias="TOLLKEEPER_PRICES_FILE")

    @field_validator("prices_file")
    @classmethod
    def _one_list(cls, file: Path | None, known: ValidationInfo) -> Path | None:
        if file is not None and known.data.get("prices_url") is not None:
            raise ValueError("stands beside TOLLKEEPER_PRICES_URL; only one of them can be the list")
        return file


class Mail(Group):
    """Absent URL: notifications are kept and shown, not sent."""

    smtp_url: Annotated[SecretStr, AfterValidator(check_smtp_url)] | None = Field(None, alias="SMTP_URL")
    sender: Annotated[str, AfterValidator(check_mail_address)] | None = Field(None, alias="MAIL_FROM")
    alert_email: Annotated[str, AfterValidator(check_mail_address)] | None = Field(
        None, alias="TOLLKEEPER_ALERT_EMAIL"
    )
    """Where the administrators are told of what goes wrong."""


class Invoices(Group):
    logo: LocalPath | None = Field(None, alias="TOLLKEEPER_INVOICE_LOGO")
    """A picture (PNG, JPEG, SVG) that is printed at their head."""


class Server(Group):
    """The two doors. Port 0 takes a free one."""

    proxy_host: str = Field("127.0.0.1", alias="TOLLKEEPER_PROXY_HOST")
    proxy_port: Port = Field(8000, alias="TOLLKEEPER_PROXY_PORT")
    console_host: str = Field("127.0.0.1", alias="TOLLKEEPER_CONSOLE_HOST")
    console_port: Port = Field(8001, alias="TOLLKEEPER_CONSOLE_PORT")
    workers: int = Field(1, ge=1, le=256, alias="TOLLKEEPER_WORKERS")
    max_body_bytes: int = Field(32 * MEBIBYTE, ge=1024, alias="TOLLKEEPER_MAX_BODY_BYTES")
    max_upload_bytes: int = Field(1024 * MEBIBYTE, ge=1024, alias="TOLLKEEPER_MAX_UPLOAD_BYTES")
    hold_ttl_seconds: Seconds = Field(60.0, alias="TOLLKEEPER_HOLD_TTL_SECONDS")
    spool_max_bytes: int = Field(1024 * MEBIBYTE, ge=1024, alias="TOLLKEEPER_SPOOL_MAX_BYTES")
    """What may lie on the disk of a process for want of Redis; beyond, it admits nothing more."""
    bounded_percent: int = Field(20, ge=0, le=100, alias="TOLLKEEPER_BOUNDED_PERCENT")
    """Of what was left of its limits, how much an organization whose plan allows it may use while Redis is away."""
    bounded_requests_per_minute: int = Field(60, ge=0, alias="TOLLKEEPER_BOUNDED_REQUESTS_PER_MINUTE")
    collect_seconds: Seconds = Field(15.0, alias="TOLLKEEPER_COLLECT_SECONDS")
    shutdown_grace_seconds: Seconds = Field(8.0, alias="TOLLKEEPER_SHUTDOWN_GRACE_SECONDS")


class Door(Group):
    """What the proxy lets in beyond its catalogue of metered endpoints, and pages of which origins may call it."""

    allowed: Annotated[tuple[OneAllowed, ...], BeforeValidator(split)] = Field(
        (), alias="TOLLKEEPER_ALLOW_ENDPOINTS"
    )
    cors_origins: Annotated[tuple[Origin, ...], BeforeValidator(split)] = Field(
        (), alias="TOLLKEEPER_CORS_ORIGINS"
    )


class Archive(Group):
    """Where usage of long ago goes, and how many whole months stay in Postgres. Absent URL: all of it stays there."""

    url: Annotated[SecretStr, AfterValidator(check_archive_url)] | None = Field(
        None, alias="TOLLKEEPER_ARCHIVE_URL"
    )
    keep_months: int = Field(13, ge=1, le=1200, alias="TOLLKEEPER_KEEP_USAGE_MONTHS")


class Secrets(Group):
    """What this installation itself keeps secret; generated by the first `up` into the data directory."""

    admin_token: SecretStr | None = Field(None, alias="TOLLKEEPER_ADMIN_TOKEN")
    key_secret: SecretStr | None = Field(None, alias="TOLLKEEPER_KEY_SECRET")


class Settings(Group):
    stores: Stores
    upstream: Upstream
    outbound: Outbound
    keycloak: Keycloak
    stripe: Stripe
    payments: Payments
    sources: Sources
    mail: Mail
    invoices: Invoices
    server: Server
    door: Door
    archive: Archive
    secrets: Secrets
    data_dir: LocalPath = Field(Path(".tollkeeper"), alias="TOLLKEEPER_DATA_DIR", validate_default=True)
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", alias="TOLLKEEPER_LOG_LEVEL")

    @property
    def spool_dir(self) -> Path:
        """Where processes keep what Redis has not confirmed; those on one directory settle for each other's dead."""
        return self.data_dir / "spool"


_GROUPS: dict[str, type[Group]] = {
    "stores": Stores,
    "upstream": Upstream,
    "outbound": Outbound,
    "keycloak": Keycloak,
    "stripe": Stripe,
    "payments": Payments,
    "sources": Sources,
    "mail": Mail,
    "invoices": Invoices,
    "server": Server,
    "door": Door,
    "archive": Archive,
    "secrets": Secrets,
}


def _aliases(group: type[Group]) -> list[str]:
    return [field.alias for field in group.model_fields.values() if field.alias is not None]


NAMES = (*_aliases(Settings), *(name for group in _GROUPS.values() for name in _aliases(group)))


def load_settings(environ: Mapping[str, str], dotenv: Path | None = None) -> Settings:
    """Reads the settings from `environ`, and from the file `dotenv` for what `environ` does not name.

    An empty value counts as absent. Raises SettingsError, one line that names the setting.
    """
    values = _read_dotenv(dotenv) if dotenv is not None else {}
    values |= {name: value for name, value in environ.items() if value.strip()}
    # These are written in small letters as often, and then go first with everybody.
    values |= {name: values[name.lower()] for name in _aliases(Outbound) if name.lower() in values}
    _refuse_unknown(values)
    try:
        groups = {name: group.model_validate(_pick(group, values)) for name, group in _GROUPS.items()}
        settings = Settings.model_validate({**groups, **_pick(Settings, values)})
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None
    return _with_upstreams(settings, values)


def _with_upstreams(settings: Settings, values: Mapping[str, str]) -> Settings:
    upstream = settings.upstream
    if upstream.file is None:
        return settings
    try:
        listed = read_upstreams(upstream.file, values)
    except UpstreamsFileError as error:
        raise SettingsError(f"UPSTREAMS_FILE: {error}") from None
    return settings.model_copy(update={"upstream": upstream.model_copy(update={"listed": listed})})


def _read_dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        pairs = dotenv_values(path, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({error})") from None
    return {name: value for name, value in pairs.items() if value is not None and value.strip()}


def _refuse_unknown(values: Mapping[str, str]) -> None:
    for name in sorted(values):
        if name.startswith(PREFIX) and name not in NAMES:
            near = difflib.get_close_matches(
                name, [known for known in NAMES if known.startswith(PREFIX)], n=1
            )
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{name}: there is no such setting{hint}")


def _pick(group: type[Group], values: Mapping[str, str]) -> dict[str, Any]:
    return {name: values[name].strip() for name in _aliases(group) if name in values}


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    return f"{first['loc'][0]}: {message[:1].lower()}{message[1:]}"
