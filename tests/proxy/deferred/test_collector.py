"""Work that goes on after its call is charged once, when it has ended, also if nobody looks for it."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from proxy.pipeline import RedisPipeline
from proxy.quota.view import read_holds
from tests.collecting import collect
from tests.system import UPSTREAM_KEY, System, Tenant, until

MODEL = "gpt-4o-mini"


@pytest.fixture
async def tenant(house: System) -> Tenant:
    return await house.tenant()


async def waiting(house: System, tenant: Tenant, count: int) -> list[dict[str, Any]]:
    """The tenant's work that the ledger waits for."""
    query = "select * from deferred_call where organization_id = $1"

    async def there() -> list[dict[str, Any]] | None:
        rows = await house.fetch(query, tenant.organization_id)
        return rows if len(rows) == count else None

    return await until(there, f"{count} deferred calls")


async def held(house: System, tenant: Tenant) -> int:
    async with RedisPipeline.opened(house.redis_url, timeout=5) as redis:
        return len(await read_holds(redis, tenant.organization_id))


async def post(house: System, tenant: Tenant, path: str, sim: str = "", **body: Any) -> dict[str, Any]:
    """`sim`: switches of the simulated upstream."""
    async with house.client(tenant) as client:
        answer = await client.post(path, json=body, headers={"x-sim": sim} if sim else {})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def background(house: System, tenant: Tenant, finish: int = 0) -> dict[str, Any]:
    return await post(
        house,
        tenant,
        "/v1/responses",
        f"tokens=12;finish={finish}",
        model=MODEL,
        input="Hello",
        background=True,
    )


async def upload(house: System, tenant: Tenant, content: bytes, purpose: str) -> str:
    """A file that lies upstream and is the tenant's."""
    headers = {"authorization": f"Bearer {UPSTREAM_KEY}"}
    async with httpx.AsyncClient(base_url=house.upstream_url, headers=headers) as client:
        answer = await client.post(
            "/v1/files", files={"file": ("x.jsonl", content)}, data={"purpose": purpose}
        )
    identifier: str = answer.json()["id"]
    await house.own(tenant, [identifier])
    return identifier


async def test_an_answer_that_nobody_looks_for_is_charged_once(house: System, tenant: Tenant) -> None:
    await background(house, tenant)
    [call] = await waiting(house, tenant, 1)
    assert (call["kind"], call["upstream"]) == ("response", "127.0.0.1")
    await asyncio.gather(collect(house), collect(house))
    [row] = await house.records(tenant, 1)
    assert (row["request_id"], row["endpoint"]) == (call["request_id"], "/v1/responses")
    assert (row["output_tokens"], row["usage_source"], row["outcome"]) == (12, "provider", "completed")
    assert row["price_nano"] > 0
    await waiting(house, tenant, 0)
    assert await held(house, tenant) == 0
    await collect(house)
    await house.records(tenant, 1)


async def test_what_goes_on_stays_held_and_is_looked_at_again(house: System, tenant: Tenant) -> None:
    await background(house, tenant, finish=600_000)
    [before] = await waiting(house, tenant, 1)
    await collect(house)
    [after] = await waiting(house, tenant, 1)
    assert after["look_at"] > before["look_at"]
    assert await held(house, tenant) == 1
    assert await house.records(tenant, 0) == []


async def test_work_that_its_provider_has_forgotten_is_charged_as_it_was_held(
    house: System, tenant: Tenant
) -> None:
    made = await background(house, tenant)
    await waiting(house, tenant, 1)
    async with house.client(tenant) as client:
        assert (await client.delete(f"/v1/responses/{made['id']}")).status_code == 200
    await collect(house)
    rows = await house.records(tenant, 2)
    [charged] = [row for row in rows if row["endpoint"] == "/v1/responses"]
    assert (charged["usage_source"], charged["output_tokens"]) == ("hold", 16_384)
    assert charged["input_tokens"] > 0


async def test_work_is_settled_though_redis_has_lost_its_hold(house: System, tenant: Tenant) -> None:
    made = await background(house, tenant)
    [call] = await waiting(house, tenant, 1)
    redis = Redis.from_url(house.redis_url)
    lost = [key async for key in redis.scan_iter(f"*:hold:{call['request_id']}")]
    lost += [key async for key in redis.scan_iter(f"*:work:{made['id']}")]
    assert await redis.delete(*lost) == 2
    await redis.aclose()
    await collect(house)
    [row] = await house.records(tenant, 1)
    assert row["output_tokens"] == 12


async def test_a_price_is_that_of_the_plan_when_the_work_began(house: System, tenant: Tenant) -> None:
    await background(house, tenant)
    [call] = await waiting(house, tenant, 1)
    await house.execute("update plan set price_per_request = 5 where id = $1", tenant.plan_id)
    await collect(house)
    [row] = await house.records(tenant, 1)
    assert row["request_id"] == call["request_id"]
    assert 0 < row["price_nano"] < 10**9


async def run_of(house: System, tenant: Tenant, **members: Any) -> dict[str, Any]:
    assistant = await post(house, tenant, "/v1/assistants", model=MODEL)
    return await post(
        house,
        tenant,
        "/v1/threads/runs",
        "tokens=9",
        assistant_id=assistant["id"],
        thread={"messages": [{"role": "user", "content": "Hello"}]},
        **members,
    )


async def test_a_run_is_charged_once_however_often_it_is_looked_at(house: System, tenant: Tenant) -> None:
    run = await run_of(house, tenant)
    await waiting(house, tenant, 1)
    async with house.client(tenant) as client:
        for _ in range(3):
            look = await client.get(f"/v1/threads/{run['thread_id']}/runs/{run['id']}")
    assert look.json()["status"] == "completed"
    await collect(house)
    rows = await house.records(tenant, 5)
    [charged] = [row for row in rows if row["output_tokens"]]
    assert charged["endpoint"] == "/v1/threads/runs"
    assert charged["output_tokens"] == look.json()["usage"]["completion_tokens"] == 9
    assert charged["model"].startswith(MODEL)
    assert charged["price_nano"] > 0


async def test_a_stream_of_a_run_charges_its_run_at_once(house: System, tenant: Tenant) -> None:
    assistant = await post(house, tenant, "/v1/assistants", model=MODEL)
    thread = await post(house, tenant, "/v1/threads", messages=[{"role": "user", "content": "Hello"}])
    async with house.client(tenant) as client:
        answer = await client.post(
            f"/v1/threads/{thread['id']}/runs",
            json={"assistant_id": assistant["id"], "stream": True},
            headers={"x-sim": "tokens=9"},
        )
    assert b"thread.run.completed" in answer.content
    rows = await house.records(tenant, 3)
    assert [row["output_tokens"] for row in rows] == [0, 0, 9]
    assert await held(house, tenant) == 0


async def test_a_fine_tuning_job_is_charged_by_what_it_trained_and_its_model_is_the_tenants(
    house: System, tenant: Tenant
) -> None:
    line = b'{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello there"}]}\n'
    training = await upload(house, tenant, line * 20, "fine-tune")
    await post(
        house,
        tenant,
        "/v1/fine_tuning/jobs",
        model="gpt-4o-mini-2024-07-18",
        training_file=training,
    )
    await waiting(house, tenant, 1)
    await collect(house)
    [row] = await house.records(tenant, 1)
    assert json.loads(row["quantities"])["trained_token"] > 0
    assert row["price_nano"] > 0
    query = "select id from upstream_object where organization_id = $1 and kind = 'model'"
    [model] = await house.fetch(query, tenant.organization_id)
    assert model["id"].startswith("ft:gpt-4o-mini")
    stranger = await house.tenant()
    body = {"model": model["id"], "messages": [{"role": "user", "content": "Hello"}]}
    async with house.client(stranger) as client:
        assert (await client.post("/v1/chat/completions", json=body)).status_code == 404
    async with house.client(tenant) as client:
        assert (await client.post("/v1/chat/completions", json=body)).status_code == 200


LINES = {
    "one": {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 7},
    "two": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 11},
    "three": {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5},
}


def lines(bodies: dict[str, Any], url: str = "/v1/chat/completions") -> bytes:
    return b"".join(
        json.dumps({"custom_id": name, "method": "POST", "url": url, "body": body}).encode() + b"\n"
        for name, body in bodies.items()
    )


async def batch_of(house: System, tenant: Tenant, content: bytes, sim: str = "") -> httpx.Response:
    file_id = await upload(house, tenant, content, "batch")
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    async with house.client(tenant) as client:
        return await client.post("/v1/batches", json=body, headers={"x-sim": sim} if sim else {})


async def test_a_batch_that_nobody_polls_is_charged_once_by_its_output_file_at_the_batch_rate(
    house: System, tenant: Tenant
) -> None:
    answer = await batch_of(house, tenant, lines(LINES))
    assert answer.status_code == 200, answer.text
    await waiting(house, tenant, 1)
    assert await held(house, tenant) == 1
    await asyncio.gather(collect(house), collect(house))
    rows = {row["model"]: row for row in await house.records(tenant, 2)}
    assert {model: row["output_tokens"] for model, row in rows.items()} == {MODEL: 12, "gpt-4o": 11}
    assert {row["endpoint"] for row in rows.values()} == {"/v1/batches"}
    mini = rows[MODEL]
    rate = Decimal("0.075") * mini["input_tokens"] + Decimal("0.3") * mini["output_tokens"]
    assert mini["cost_nano_usd"] == round(rate * 1000)
    assert await held(house, tenant) == 0
    async with house.client(tenant) as client:
        batch = (await client.get(f"/v1/batches/{answer.json()['id']}")).json()
    books = await house.books(request_id=answer.headers["x-upstream-request-id"])
    [entry] = books["requests"]
    assert entry["completion_tokens_served"] == 23
    query = "select id from upstream_object where organization_id = $1 and kind = 'file'"
    owned = {row["id"] for row in await house.fetch(query, tenant.organization_id)}
    assert batch["output_file_id"] in owned


async def test_a_batch_holds_what_its_lines_may_come_to(house: System) -> None:
    tenant = await house.tenant(limits={"tokens_per_month": 60})
    refused = await batch_of(house, tenant, lines(LINES | {"four": LINES["one"] | {"max_tokens": 30}}))
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "insufficient_quota"
    answer = await batch_of(house, tenant, lines(LINES))
    assert answer.status_code == 200, answer.text
    async with house.client(tenant) as client:
        call = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10}
        assert (await client.post("/v1/chat/completions", json=call)).status_code == 429


async def test_a_batch_waits_for_nobody_and_keeps_nobody_waiting(house: System) -> None:
    tenant = await house.tenant(limits={"tokens_per_minute": 30, "concurrent_requests": 1})
    answer = await batch_of(house, tenant, lines(LINES), "finish=600000")
    assert answer.status_code == 200, answer.text
    async with house.client(tenant) as client:
        call = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10}
        assert (await client.post("/v1/chat/completions", json=call)).status_code == 200


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 400, "no line"),
        (b"{not json}\n", 400, "Line 1"),
        (lines(LINES) + b"[]\n", 400, "Line 4"),
        (lines(LINES, "/v1/responses"), 400, "/v1/chat/completions"),
        (lines({"x": {"model": "nobody-knows", "messages": []}}), 402, "nobody-knows"),
        (lines({"x": {"messages": []}}), 400, "model"),
        (
            lines({"x": LINES["one"] | {"messages": [{"content": [{"file": {"file_id": "file-1"}}]}]}}),
            404,
            "file-1",
        ),
    ],
)
async def test_a_batch_that_no_call_could_be_is_refused_before_it_is_made(
    house: System, tenant: Tenant, content: bytes, status: int, said: str
) -> None:
    answer = await batch_of(house, tenant, content)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (status, True), answer.text
    assert await held(house, tenant) == 0


async def test_the_input_file_of_another_tenant_makes_no_batch(house: System, tenant: Tenant) -> None:
    file_id = await upload(house, tenant, lines(LINES), "batch")
    stranger = await house.tenant()
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    async with house.client(stranger) as client:
        assert (await client.post("/v1/batches", json=body)).status_code == 404


async def test_a_run_of_an_eval_is_charged_by_what_each_model_used(house: System, tenant: Tenant) -> None:
    made = await post(
        house,
        tenant,
        "/v1/evals",
        data_source_config={
            "type": "custom",
            "item_schema": {"type": "object"},
            "include_sample_schema": True,
        },
        testing_criteria=[
            {
                "type": "label_model",
                "name": "judge",
                "model": "gpt-4o",
                "input": [{"role": "user", "content": "{{sample.output_text}}"}],
                "labels": ["good", "bad"],
                "passing_labels": ["good"],
            }
        ],
    )
    source = {
        "type": "file_content",
        "content": [{"item": {"question": "Why?"}}, {"item": {"question": "How?"}}],
    }
    messages = {"type": "template", "template": [{"role": "user", "content": "{{item.question}}"}]}
    run = await post(
        house,
        tenant,
        f"/v1/evals/{made['id']}/runs",
        data_source={"type": "completions", "model": MODEL, "source": source, "input_messages": messages},
    )
    await waiting(house, tenant, 1)
    await collect(house)
    async with house.client(tenant) as client:
        told = (await client.get(f"/v1/evals/{made['id']}/runs/{run['id']}")).json()
    rows = [
        row for row in await house.records(tenant, 2 + len(told["per_model_usage"])) if row["output_tokens"]
    ]
    assert {row["model"]: row["output_tokens"] for row in rows} == {
        each["model_name"]: each["completion_tokens"] for each in told["per_model_usage"]
    }


async def test_an_eval_can_not_read_what_all_tenants_stored(house: System, tenant: Tenant) -> None:
    made = await post(
        house,
        tenant,
        "/v1/evals",
        data_source_config={"type": "custom", "item_schema": {"type": "object"}},
        testing_criteria=[],
    )
    body = {"data_source": {"type": "completions", "model": MODEL, "source": {"type": "stored_completions"}}}
    async with house.client(tenant) as client:
        answer = await client.post(f"/v1/evals/{made['id']}/runs", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "data_source.source.type"


async def test_the_worker_collects_by_itself(house: System, tenant: Tenant) -> None:
    await background(house, tenant, finish=0)
    await waiting(house, tenant, 1)
    environ = house.environ | {"TOLLKEEPER_COLLECT_SECONDS": "0.2"}
    worker = System(house.database_url, house.redis_url, environ)
    worker.start("worker")
    try:
        [row] = await house.records(tenant, 1)
        assert row["output_tokens"] == 12
    finally:
        worker.stop()


VIDEO = {"model": "sora-2", "prompt": "A cat", "seconds": "8"}


async def test_a_video_that_nobody_looks_for_is_charged_by_its_seconds(house: System, tenant: Tenant) -> None:
    await post(house, tenant, "/v1/videos", "finish=0", **VIDEO)
    await waiting(house, tenant, 1)
    await collect(house)
    [row] = await house.records(tenant, 1)
    assert (json.loads(row["quantities"]), row["model"]) == ({"video_second_720p": 8}, "sora-2")
    assert (row["usage_source"], row["cost_nano_usd"]) == ("provider", 800_000_000)
    assert await held(house, tenant) == 0


async def test_a_video_that_was_deleted_is_charged_as_it_was_asked_for(house: System, tenant: Tenant) -> None:
    made = await post(house, tenant, "/v1/videos", "finish=600000", **VIDEO)
    await waiting(house, tenant, 1)
    async with house.client(tenant) as client:
        assert (await client.delete(f"/v1/videos/{made['id']}")).status_code == 200
    await collect(house)
    [row] = [row for row in await house.records(tenant, 2) if row["model"]]
    assert (json.loads(row["quantities"]), row["usage_source"]) == ({"video_second_720p": 8}, "hold")
    assert row["cost_nano_usd"] == 800_000_000
    assert await held(house, tenant) == 0
