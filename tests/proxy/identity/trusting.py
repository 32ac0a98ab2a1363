"""A proxy that trusts issuers of access tokens, and who calls it with one."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from runtime.engines.postgres import Postgres
from tests.issuing import IssuingRealm
from tests.keycloak import AUDIENCE
from tests.system import System, Tenant, prepare, system

CHAT = "/v1/chat/completions"
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}

_numbers = itertools.count(1)


@contextmanager
def system_that_trusts(postgres: Postgres, redis_url: str, *realms: IssuingRealm) -> Iterator[System]:
    """Not started yet."""
    name = f"test_trusting_{next(_numbers)}"
    asyncio.run(postgres.create_database(name))
    asyncio.run(prepare(postgres.url(name)))
    issuers = ", ".join(realm.issuer for realm in realms)
    trust = {"KEYCLOAK_ISSUER": issuers, "KEYCLOAK_AUDIENCE": f"other, {AUDIENCE}"}
    with system(postgres.url(name), redis_url, **trust) as made:
        yield made


async def call(house: System, credential: str, **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {credential}"}
    async with httpx.AsyncClient(base_url=house.proxy_url, headers=headers, timeout=30) as client:
        return await client.post(CHAT, json={**BODY, **body})


async def refusal(house: System, credential: str) -> tuple[int, str, str]:
    answer = await call(house, credential)
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert credential not in answer.text
    return answer.status_code, error["code"], error["message"]


async def members(house: System, tenant: Tenant) -> list[dict[str, Any]]:
    return await house.fetch("select * from member where organization_id = $1", tenant.organization_id)
