"""Checks of what answers: our two doors and the upstream."""

import httpx

from config.settings import Settings
from config.upstreams.schema import Entry
from proxy.upstream.address import target
from proxy.upstream.upstream import credentials
from runtime import ports
from runtime.doctor.finding import Finding, bad, good, odd

SECONDS = 5.0


async def doors(settings: Settings) -> list[Finding]:
    server = settings.server
    async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
        return [
            await _door(client, "proxy", server.proxy_host, server.proxy_port),
            await _door(client, "console", server.console_host, server.console_port),
            *await _upstreams(client, settings),
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


async def _upstreams(client: httpx.AsyncClient, settings: Settings) -> list[Finding]:
    if not settings.upstream.chosen:
        why = "set OPENAI_API_KEY; until then `up` answers with a simulated one"
        return [odd("upstream", "none is set", why)]
    listed = settings.upstream.all.upstreams
    return [
        await _upstream(client, entry, "upstream" if len(listed) == 1 else entry.name) for entry in listed
    ]


async def _upstream(client: httpx.AsyncClient, entry: Entry, name: str) -> Finding:
    headers = {header.decode(): value.decode() for header, value in credentials(entry)}
    url = entry.base_url + target(entry, b"/models", b"", "").decode()
    try:
        answer = await client.get(url, headers=headers)
    except httpx.HTTPError as error:
        return bad(name, f"{entry.base_url} does not answer ({type(error).__name__})", "check the network")
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) and entry.api_key is None:
        return bad(name, f"{entry.base_url} asks for a key", "set OPENAI_API_KEY, or api_key_env in the file")
    if not answer.is_success:
        return bad(name, f"{url}: {answer.status_code}", "check its key and address")
    return good(name, f"{entry.base_url} answers")
