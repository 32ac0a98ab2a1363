"""The settings of Keycloak."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from config.values import Group, HttpUrl, split


class Keycloak(Group):
    """Whose access tokens are accepted. Several issuers or audiences are parted by commas."""

    audiences: Annotated[tuple[str, ...], BeforeValidator(split)] = Field((), alias="KEYCLOAK_AUDIENCE")
    issuers: Annotated[tuple[HttpUrl, ...], BeforeValidator(split)] = Field((), alias="KEYCLOAK_ISSUER")
    internal_url: HttpUrl | None = Field(None, alias="KEYCLOAK_INTERNAL_URL")
    """Where Keycloak is reached from here, if not by the name that it gives itself to people."""
    admin_url: HttpUrl | None = Field(None, alias="KEYCLOAK_ADMIN_URL")
    admin_client_id: str | None = Field(None, alias="KEYCLOAK_ADMIN_CLIENT_ID")
    admin_client_secret: SecretStr | None = Field(None, alias="KEYCLOAK_ADMIN_CLIENT_SECRET")

    @field_validator("audiences")
    @classmethod
    def _of_our_own(cls, audiences: tuple[str, ...]) -> tuple[str, ...]:
        if "account" in audiences:
            raise ValueError(
                "'account' stands in the tokens of every client; name the client or audience that is yours"
            )
        return audiences

    @field_validator("issuers")
    @classmethod
    def _with_an_audience(cls, issuers: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        # Without one, a token that the issuer made for any other of its clients would open this door too.
        if issuers and not known.data.get("audiences"):
            raise ValueError(
                "needs KEYCLOAK_AUDIENCE beside it, the client or audience that tokens are made for"
            )
        return issuers
