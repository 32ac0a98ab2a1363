"""Clients of Azure's work against the proxy as they are, whichever kind of upstream answers."""

import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncAzureOpenAI, AzureOpenAI

from tests.system import System, Tenant, system

MESSAGES = [{"role": "user", "content": "Say something"}]
FILE = """
upstreams:
  - name: azure
    kind: azure
    base_url: {simulator}
    api_version: "2024-10-21"
    api_key_env: OPENAI_API_KEY
    models: ["gpt-*", "text-embedding-*", "whisper-1", "dall-e-*"]
    aliases: {{ours: gpt-4o-mini}}
"""


@pytest.fixture(scope="module", params=["openai", "azure"])
def plane(
    request: pytest.FixtureRequest, house: System, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """The house, and a second proxy in it whose upstream is Azure."""
    if request.param == "openai":
        yield house
        return
    file: Path = tmp_path_factory.mktemp("upstreams") / "upstreams.yaml"
    file.write_text(FILE.format(simulator=house.upstream_url))
    with system(house.database_url, house.redis_url, UPSTREAMS_FILE=str(file)) as made:
        made.upstream_url = house.upstream_url
        made.start("proxy")
        yield made


@pytest.fixture
async def tenant(plane: System) -> Tenant:
    return await plane.tenant(unpriced_models="allow")


@pytest.fixture
async def client(plane: System, tenant: Tenant) -> AsyncIterator[Any]:
    with azure(plane, tenant) as made:
        yield made


def azure(plane: System, tenant: Tenant, **options: Any) -> Any:
    headers = {"x-client-request-id": tenant.organization_id}
    return AzureOpenAI(
        azure_endpoint=plane.proxy_url,
        api_key=tenant.key,
        api_version="2024-10-21",
        max_retries=0,
        default_headers=headers,
        **options,
    )


async def row_of(plane: System, tenant: Tenant) -> dict[str, Any]:
    [row] = await plane.records(tenant, 1)
    assert (row["status"], row["outcome"], row["usage_source"]) == (200, "completed", "provider")
    [entry] = (await plane.books(client_request_id=tenant.organization_id))["requests"]
    assert entry["model"] == row["model"]
    return row


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_with_a_deployment(plane: System, tenant: Tenant, client: Any, stream: bool) -> None:
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=stream)
    if stream:
        assert list(answer)[-1].choices[0].finish_reason
    row = await row_of(plane, tenant)
    assert (row["endpoint"], row["model"]) == ("/v1/chat/completions", "gpt-4o-mini")
    assert row["output_tokens"] > 0


async def test_the_deployment_goes_before_the_model_in_the_body(plane: System, tenant: Tenant) -> None:
    with azure(plane, tenant, azure_deployment="gpt-4o-mini") as client:
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert (await row_of(plane, tenant))["model"] == "gpt-4o-mini"


async def test_a_plan_is_asked_for_the_deployment(plane: System) -> None:
    tenant = await plane.tenant(unpriced_models="allow", models=["gpt-4o-mini"])
    async with plane.client(tenant) as client:
        answer = await client.post(
            "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
            json={"model": "gpt-4o-mini", "messages": MESSAGES},
        )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")


async def test_a_body_need_not_name_the_model(plane: System, tenant: Tenant) -> None:
    async with plane.client(tenant) as client:
        answer = await client.post(
            "/openai/deployments/text-embedding-3-small/embeddings?api-version=2024-10-21",
            json={"input": "words"},
            headers={"x-client-request-id": tenant.organization_id},
        )
    assert answer.status_code == 200, answer.text
    row = await row_of(plane, tenant)
    assert (row["endpoint"], row["model"]) == ("/v1/embeddings", "text-embedding-3-small")


@pytest.mark.parametrize("named", [False, True])
async def test_a_form_is_of_the_deployment(plane: System, tenant: Tenant, named: bool) -> None:
    sound = io.BytesIO(b"ID3 of some sound")
    async with plane.client(tenant) as client:
        answer = await client.post(
            "/openai/deployments/whisper-1/audio/transcriptions?api-version=2024-10-21",
            files={"file": ("sound.mp3", sound)},
            data={"model": "gpt-4o-transcribe"} if named else {},
            headers={"x-client-request-id": tenant.organization_id},
        )
    assert answer.status_code == 200, answer.text
    [row] = await plane.records(tenant, 1)
    assert (row["endpoint"], row["model"], row["status"]) == ("/v1/audio/transcriptions", "whisper-1", 200)
    [entry] = (await plane.books(client_request_id=tenant.organization_id))["requests"]
    assert entry["model"] == "whisper-1"


async def test_what_has_no_deployment(plane: System, tenant: Tenant, client: Any) -> None:
    answer = client.responses.create(model="gpt-4o-mini", input="Say something")
    assert client.responses.retrieve(answer.id).id == answer.id
    rows = await plane.records(tenant, 2)
    assert [row["endpoint"] for row in rows] == ["/v1/responses", "/v1/responses/{response}"]


async def test_the_new_paths_need_no_version(plane: System, tenant: Tenant) -> None:
    async with plane.client(tenant) as client:
        answer = await client.post(
            "/openai/v1/chat/completions",
            json={"model": "gpt-4o-mini", "messages": MESSAGES},
            headers={"x-client-request-id": tenant.organization_id},
        )
    assert answer.status_code == 200
    assert (await row_of(plane, tenant))["endpoint"] == "/v1/chat/completions"


async def test_an_alias_is_a_deployment_too(plane: System, tenant: Tenant, client: Any) -> None:
    deployment = "ours" if "UPSTREAMS_FILE" in plane.environ else "gpt-4o-mini"
    client.chat.completions.create(model=deployment, messages=MESSAGES)
    [row] = await plane.records(tenant, 1)
    [entry] = (await plane.books(client_request_id=tenant.organization_id))["requests"]
    assert (row["model"], entry["model"]) == (deployment, "gpt-4o-mini")


async def test_keys_come_as_azures_clients_send_them(plane: System, tenant: Tenant) -> None:
    path, body = "/openai/v1/chat/completions", {"model": "gpt-4o-mini", "messages": MESSAGES}
    async with plane.client(tenant) as client:
        del client.headers["authorization"]
        statuses = [
            (await client.post(path, json=body, headers=headers)).status_code
            for headers in (
                [("api-key", tenant.key)],
                [("api-key", "sk-tk-nobodys")],
                [("api-key", tenant.key), ("api-key", tenant.key)],
                [("api-key", "")],
                [("api-key", tenant.key), ("authorization", "Bearer sk-tk-nobodys")],
                [("api-key", "sk-tk-nobodys"), ("authorization", f"Bearer {tenant.key}")],
            )
        ]
    assert statuses == [200, 401, 401, 401, 401, 200]


@pytest.mark.parametrize(
    "path",
    [
        "/openai/deployments/gpt-4o-mini",
        "/openai/deployments/gpt-4o-mini/extensions/chat/completions",
        "/openai/deployments/gpt-4o-mini/chat/completions/%2e%2e/files",
        "/openai/deployments//chat/completions",
        "/openai/",
        "/openai/v1/",
        "/openai/v1/%2e%2e/v1/chat/completions",
        "/openai//v1/chat/completions",
    ],
)
async def test_other_paths_are_not_found(plane: System, tenant: Tenant, path: str) -> None:
    async with plane.client(tenant) as client:
        request = client.build_request("POST", "/", json={"model": "gpt-4o-mini", "messages": MESSAGES})
        request.url = request.url.copy_with(raw_path=path.encode())
        answer = await client.send(request)
    assert answer.status_code == 404, answer.text
    assert answer.json()["error"]["code"] == "unknown_url"


async def test_an_id_in_a_path_of_azures_is_the_tenants_own(
    plane: System, tenant: Tenant, client: Any
) -> None:
    mine = client.responses.create(model="gpt-4o-mini", input="Say something").id
    stranger = await plane.tenant()
    async with plane.client(stranger) as other:
        for path in (f"/openai/responses/{mine}?api-version=2024-10-21", f"/openai/v1/responses/{mine}"):
            answer = await other.get(path)
            assert answer.status_code == 404, json.dumps(answer.json())


async def test_a_realtime_session_with_a_deployment(plane: System, tenant: Tenant) -> None:
    url = plane.proxy_url.replace("http://", "ws://") + "/openai"
    async with AsyncAzureOpenAI(
        azure_endpoint=plane.proxy_url,
        websocket_base_url=url,
        api_key=tenant.key,
        api_version="2024-10-01-preview",
    ) as client:
        options: Any = {"extra_headers": {"x-client-request-id": tenant.organization_id}}
        async with client.realtime.connect(model="gpt-realtime", **options) as connection:
            assert (await connection.recv()).type == "session.created"
            await connection.response.create()
            async for event in connection:
                if event.type == "response.done":
                    break
    [row] = await plane.records(tenant, 1)
    assert (row["endpoint"], row["model"], row["status"]) == ("/v1/realtime", "gpt-realtime", 101)
    assert row["output_tokens"] > 0
    [entry] = (await plane.books(client_request_id=tenant.organization_id))["requests"]
    assert entry["model"] == "gpt-realtime"


async def test_files_pictures_and_sound(plane: System, tenant: Tenant, client: Any) -> None:
    file = client.files.create(file=("a.jsonl", b"{}\n"), purpose="batch")
    assert client.files.content(file.id).content == b"{}\n"
    assert client.files.delete(file.id).deleted
    assert client.images.generate(model="dall-e-3", prompt="A cat").data
    with azure(plane, tenant, azure_deployment="whisper-1") as hearing:
        assert hearing.audio.transcriptions.create(model="other", file=("a.mp3", b"ID3 of sound")).text
    rows = await plane.records(tenant, 5)
    assert [(row["endpoint"], row["model"]) for row in rows] == [
        ("/v1/files", ""),
        ("/v1/files/{file}/content", ""),
        ("/v1/files/{file}", ""),
        ("/v1/images/generations", "dall-e-3"),
        ("/v1/audio/transcriptions", "whisper-1"),
    ]
