"""Checks of what answers: our two doors and the upstream."""

import httpx

from config.settings import Settings
from runtime import ports
from runtime.doctor.finding import Finding, bad, good, odd

SECONDS = 5.0


async def doors(settings: Settings) -> list[Finding]:
    server = settings.server
    async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
        return [
            await _door(client, "proxy", server.proxy_host, server.proxy_port),
            await _door(client, "console", server.console_host, server.console_port),
            await _upstream(client, settings),
        ]


async def _door(client: httpx.AsyncClient, name: str, host: str, port: int) -> Finding:
    address = ports.url(host, port)
    try:
        answer = await client.get(address + "/readyz")
    except httpx.HTTPError as error:
        return odd(
            name, f"{address} does not answer ({type(error).__name__})", "start it with `tollkeeper up`"
        )
    if answer.is_success:
        return good(name, f"{address} is ready")
    return bad(
        name, f"{address}/readyz: {answer.status_code} {answer.text[:200]}", "see its log for the reason"
    )


async def _upstream(client: httpx.AsyncClient, settings: Settings) -> Finding:
    upstream = settings.upstream
    if not upstream.chosen:
        return odd(
            "upstream", "none is set", "set OPENAI_API_KEY; until then `up` answers with a simulated one"
        )
    key = {"authorization": f"Bearer {upstream.api_key.get_secret_value()}"} if upstream.api_key else {}
    try:
        answer = await client.get(upstream.base_url + "/models", headers=key)
    except httpx.HTTPError as error:
        return bad(
            "upstream", f"{upstream.base_url} does not answer ({type(error).__name__})", "check the network"
        )
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) and upstream.api_key is None:
        return bad("upstream", f"{upstream.base_url} asks for a key", "set OPENAI_API_KEY")
    if not answer.is_success:
        return bad("upstream", f"{upstream.base_url}/models: {answer.status_code}", "check OPENAI_API_KEY")
    return good("upstream", f"{upstream.base_url} answers")
