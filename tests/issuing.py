"""What tests ask of an identity provider, so that one test speaks to the local issuer and to a real Keycloak."""

from typing import Protocol

APP = "tollkeeper-app"
"""The client that people come by. Its tokens are for us; any other client's are not."""


class Account(Protocol):
    """Somebody who can log in."""

    @property
    def subject(self) -> str: ...

    @property
    def email(self) -> str: ...

    def token(self) -> str:
        """A new access token."""


class IssuingRealm(Protocol):
    @property
    def issuer(self) -> str: ...

    def account(
        self,
        organization_id: str | None = None,
        *,
        role: str | None = None,
        admin: bool = False,
        client: str = APP,
    ) -> Account:
        """Somebody new, who comes by this client. `role` is the one in the organization; `admin` is Keycloak's word."""

    def rotate(self) -> object:
        """From now on tokens are signed by a new key; the older ones stay published."""


class Provider(Protocol):
    """Runs. It can be stopped and started again on the same port, with the same realms."""

    def realm(self) -> IssuingRealm: ...

    def start(self) -> None:
        """Does nothing where it runs."""

    def stop(self) -> None: ...
