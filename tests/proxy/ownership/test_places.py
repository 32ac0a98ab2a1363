"""Where objects lie and who within an organization may use them: two providers, two projects."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from ledger import api_keys, organizations, projects
from ledger.database import close_pool, open_pool, transaction
from ledger.keys import KeyHasher
from ledger.limits import Limits
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.system import KEY_SECRET, System, Tenant, prepare, system

DATABASE = "test_places"
FILE = """
upstreams:
  - name: home
    base_url: {home}/v1
    api_key_env: OPENAI_API_KEY
    models: [gpt-4o, gpt-4o-mini]
  - name: second
    base_url: {second}/v1
    api_key_env: OPENAI_API_KEY
    models: [gpt-4.1-mini]
    priority: 1
"""


@dataclass(frozen=True)
class Twins:
    """One data plane before two upstreams that know nothing of each other."""

    system: System
    second: System


@pytest.fixture(scope="module")
def twins(postgres: Postgres, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    asyncio.run(postgres.create_database(DATABASE))
    asyncio.run(prepare(postgres.url(DATABASE)))
    file = tmp_path_factory.mktemp("places") / "upstreams.yaml"
    stores = postgres.url(DATABASE), valkey.url(15)
    with system(*stores) as second, system(*stores, UPSTREAMS_FILE=str(file)) as made:
        file.write_text(FILE.format(home=made.upstream_url, second=second.upstream_url))
        second.start("upstream")
        made.start("upstream", "drain", "proxy")
        yield Twins(made, second)


async def call(twins: Twins, tenant: Tenant, method: str, path: str, **body: Any) -> httpx.Response:
    async with twins.system.client(tenant) as client:
        return await client.request(method, path, json=body or None)


async def test_a_call_goes_where_what_it_refers_to_lies(twins: Twins) -> None:
    tenant = await twins.system.tenant()
    made = await call(twins, tenant, "POST", "/v1/responses", model="gpt-4.1-mini", input="Hello")
    assert made.status_code == 200, made.text
    path = f"/v1/responses/{made.json()['id']}"
    assert (await call(twins, tenant, "GET", path)).status_code == 200
    assert (await call(twins, tenant, "DELETE", path)).status_code == 200
    rows = await twins.system.records(tenant, 3)
    assert {row["upstream"] for row in rows} == {"second"}
    seen = (await twins.second.books())["requests"]
    ids = [entry["request_id"] for entry in seen]
    assert made.headers["x-upstream-request-id"] in ids
    assert len(seen) == 3


async def test_what_no_model_decides_goes_home(twins: Twins) -> None:
    tenant = await twins.system.tenant()
    assert (await call(twins, tenant, "POST", "/v1/conversations")).status_code == 200
    [row] = await twins.system.records(tenant, 1)
    assert row["upstream"] == "home"


async def test_where_it_lies_is_known_when_redis_has_forgotten(twins: Twins) -> None:
    tenant = await twins.system.tenant()
    made = (await call(twins, tenant, "POST", "/v1/responses", model="gpt-4.1-mini", input="Hello")).json()
    await twins.system.records(tenant, 1)
    await twins.system.forget_objects(tenant)
    assert (await call(twins, tenant, "GET", f"/v1/responses/{made['id']}")).status_code == 200


async def test_what_lies_at_two_providers_is_not_referred_to_in_one_call(twins: Twins) -> None:
    tenant = await twins.system.tenant()
    away = (await call(twins, tenant, "POST", "/v1/responses", model="gpt-4.1-mini", input="Hello")).json()
    home = (await call(twins, tenant, "POST", "/v1/conversations")).json()
    asked = {"model": "gpt-4o", "input": "Hello", "previous_response_id": away["id"]}
    refused = await call(twins, tenant, "POST", "/v1/responses", **asked, conversation=home["id"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "different_providers")
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "conversation": away["id"]}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    async with twins.system.client(tenant) as client:
        files = {"file": ("a.jsonl", json.dumps(line).encode())}
        file = (await client.post("/v1/files", files=files, data={"purpose": "batch"})).json()
    batch = {"endpoint": "/v1/chat/completions", "completion_window": "24h", "input_file_id": file["id"]}
    refused = await call(twins, tenant, "POST", "/v1/batches", **batch)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "different_providers")


async def of_project(twins: Twins, tenant: Tenant, name: str, *, separate: bool) -> Tenant:
    """The same organization, by a key of a project of its own."""
    made = KeyHasher(KEY_SECRET.encode()).make()
    pool = await open_pool(twins.system.database_url, size=1)
    try:
        async with transaction(pool) as connection:
            await organizations.change(
                connection, "test", tenant.organization_id, {"separate_projects": separate}
            )
            project = await projects.create(
                connection, "test", tenant.organization_id, name=name, limits=Limits(), now=datetime.now(UTC)
            )
            key = await api_keys.create(
                connection, "test", tenant.organization_id, made, name=name, project_id=project.id
            )
    finally:
        await close_pool(pool)
    return replace(tenant, key_id=key.id, key=made.secret)


@pytest.mark.parametrize("separate", [False, True])
async def test_projects_share_what_they_made_unless_they_are_kept_apart(
    twins: Twins, *, separate: bool
) -> None:
    whole = await twins.system.tenant()
    one = await of_project(twins, whole, "one", separate=separate)
    other = await of_project(twins, whole, "other", separate=separate)
    made = (await call(twins, one, "POST", "/v1/vector_stores", name="of one")).json()
    path = f"/v1/vector_stores/{made['id']}"
    assert (await call(twins, one, "GET", path)).status_code == 200
    assert (await call(twins, whole, "GET", path)).status_code == 200
    assert (await call(twins, other, "GET", path)).status_code == (404 if separate else 200)
    listed = (await call(twins, other, "GET", "/v1/vector_stores")).json()["data"]
    assert [each["id"] for each in listed] == ([] if separate else [made["id"]])
    general = (await call(twins, whole, "POST", "/v1/vector_stores", name="of all")).json()
    assert (await call(twins, other, "GET", f"/v1/vector_stores/{general['id']}")).status_code == 200


async def test_a_strangers_cursor_is_no_cursor(twins: Twins) -> None:
    one, other = await twins.system.tenant(), await twins.system.tenant()
    made = (await call(twins, one, "POST", "/v1/vector_stores", name="x")).json()
    assert (await call(twins, one, "GET", f"/v1/vector_stores?after={made['id']}")).status_code == 200
    assert (await call(twins, other, "GET", f"/v1/vector_stores?after={made['id']}")).status_code == 404
