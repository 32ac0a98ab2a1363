"""Checks of those whose access tokens are accepted."""

from config.outbound_client import open_client
from config.settings import Settings
from proxy.identity.tokens.issuer import FETCH_SECONDS, Issuer, KeysUnavailable
from runtime.doctor.finding import Finding, bad, good


async def issuers(settings: Settings) -> list[Finding]:
    keycloak = settings.keycloak
    async with open_client(settings.outbound, FETCH_SECONDS) as client:
        return [await _issuer(Issuer(name, client, keycloak.internal_url)) for name in keycloak.issuers]


async def _issuer(issuer: Issuer) -> Finding:
    try:
        keys = await issuer.keys()
    except KeysUnavailable as error:
        remedy = (
            "check KEYCLOAK_ISSUER, to the letter; KEYCLOAK_INTERNAL_URL if it is reached by another name"
        )
        return bad("keycloak", f"{issuer.name}: {str(error)[:200]}", remedy)
    count = "one key" if len(keys) == 1 else f"{len(keys)} keys"
    return good("keycloak", f"{issuer.name} signs with {count}")
