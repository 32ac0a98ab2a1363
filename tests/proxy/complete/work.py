"""Vector stores, containers, batches, fine-tuning, evals."""

import json
from typing import Any

from tests.proxy.complete.driving import QUICKLY, drives, ids
from tests.sdk import Sdk, sim

SLOWLY = {"extra_headers": sim(finish=60_000)}


async def new_file(sdk: Sdk, content: str = "The river is wide", purpose: str = "user_data") -> str:
    made = await sdk.get(sdk.client.files.create(file=("a.jsonl", content.encode()), purpose=purpose))
    return str(made.id)


@drives("vector_stores.")
async def vector_stores(sdk: Sdk) -> None:
    stores = sdk.client.vector_stores
    first, second, third = [await new_file(sdk) for _ in range(3)]
    store = await sdk.get(stores.create(file_ids=[first]))
    within = {"vector_store_id": store.id}
    assert ids(await sdk.all(stores.list())) == [store.id]
    assert (await sdk.get(stores.update(store.id, name="two"))).name == "two"
    assert (await sdk.get(stores.retrieve(store.id))).name == "two"
    files, text = stores.files, ("a.txt", b"A map")
    await sdk.get(files.create(store.id, file_id=second))
    await sdk.get(files.create_and_poll(third, **within, **QUICKLY))
    assert (await sdk.get(files.poll(third, **within, **QUICKLY))).status == "completed"
    await sdk.get(files.upload(**within, file=text))
    await sdk.get(files.upload_and_poll(**within, file=text, **QUICKLY))
    assert len(ids(await sdk.all(files.list(store.id, limit=2)))) == 5
    assert (await sdk.get(files.update(first, **within, attributes={"a": "b"}))).attributes == {"a": "b"}
    assert (await sdk.get(files.retrieve(first, **within))).id == first
    [content] = await sdk.all(files.content(first, **within))
    assert content.text == "The river is wide"
    assert (await sdk.get(files.delete(second, **within))).deleted
    assert len(await sdk.all(stores.search(store.id, query="river"))) == 4
    batches = stores.file_batches
    batch = await sdk.get(batches.create(store.id, file_ids=[second]))
    assert (await sdk.get(batches.retrieve(batch.id, **within))).id == batch.id
    await sdk.get(batches.poll(batch.id, **within, **QUICKLY))
    await sdk.get(batches.create_and_poll(store.id, file_ids=[third], **QUICKLY))
    await sdk.get(batches.upload_and_poll(store.id, files=[text], **QUICKLY))
    assert ids(await sdk.all(batches.list_files(batch.id, **within))) == [second]
    await sdk.get(batches.cancel(batch.id, **within))
    assert (await sdk.get(stores.delete(store.id))).deleted


@drives("containers.")
async def containers(sdk: Sdk) -> None:
    containers = sdk.client.containers
    made = await sdk.get(containers.create(name="one"))
    assert ids(await sdk.all(containers.list())) == [made.id]
    assert (await sdk.get(containers.retrieve(made.id))).name == "one"
    files, within = containers.files, {"container_id": made.id}
    put = await sdk.get(files.create(made.id, file=("a.txt", b"The river")))
    assert (await sdk.get(files.retrieve(put.id, **within))).bytes == 9
    assert (await sdk.get(files.content.retrieve(put.id, **within))).content == b"The river"
    assert ids(await sdk.all(files.list(made.id))) == [put.id]
    await sdk.get(files.delete(put.id, **within))
    await sdk.get(containers.delete(made.id))


@drives("batches.")
async def batches(sdk: Sdk) -> None:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    asked: dict[str, Any] = {
        "input_file_id": await new_file(sdk, json.dumps(line), "batch"),
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    batches = sdk.client.batches
    made = await sdk.get(batches.create(**asked))
    assert (await sdk.get(batches.retrieve(made.id))).request_counts.completed == 1
    slow = await sdk.get(batches.create(**asked, **SLOWLY))
    assert (await sdk.get(batches.cancel(slow.id))).status == "cancelling"
    assert ids(await sdk.all(batches.list())) == [slow.id, made.id]


@drives("fine_tuning.")
async def fine_tuning(sdk: Sdk) -> None:
    jobs = sdk.client.fine_tuning.jobs
    said = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}
    asked = {"model": "gpt-4o-mini", "training_file": await new_file(sdk, json.dumps(said), "fine-tune")}
    made = await sdk.get(jobs.create(**asked))
    assert (await sdk.get(jobs.retrieve(made.id))).status == "succeeded"
    assert len(await sdk.all(jobs.list_events(made.id))) == 3
    assert len(await sdk.all(jobs.checkpoints.list(made.id))) == 1
    slow = await sdk.get(jobs.create(**asked, **SLOWLY))
    assert (await sdk.get(jobs.pause(slow.id))).status == "paused"
    assert (await sdk.get(jobs.resume(slow.id))).status == "running"
    assert (await sdk.get(jobs.cancel(slow.id))).status == "cancelled"
    assert ids(await sdk.all(jobs.list())) == [slow.id, made.id]


@drives("evals.")
async def evals(sdk: Sdk) -> None:
    evals = sdk.client.evals
    check = {"type": "string_check", "name": "same", "input": "a", "operation": "eq", "reference": "a"}
    config = {"type": "custom", "item_schema": {"type": "object"}}
    made = await sdk.get(evals.create(data_source_config=config, testing_criteria=[check]))
    assert ids(await sdk.all(evals.list())) == [made.id]
    assert (await sdk.get(evals.update(made.id, name="two"))).name == "two"
    assert (await sdk.get(evals.retrieve(made.id))).name == "two"
    source = {"type": "jsonl", "source": {"type": "file_content", "content": [{"item": {}}]}}
    runs, within = evals.runs, {"eval_id": made.id}
    run = await sdk.get(runs.create(made.id, data_source=source))
    assert (await sdk.get(runs.retrieve(run.id, **within))).result_counts.passed == 1
    [item] = await sdk.all(runs.output_items.list(run.id, **within))
    await sdk.get(runs.output_items.retrieve(item.id, run_id=run.id, **within))
    slow = await sdk.get(runs.create(made.id, data_source=source, **SLOWLY))
    assert (await sdk.get(runs.cancel(slow.id, **within))).status == "canceled"
    assert ids(await sdk.all(runs.list(made.id))) == [run.id, slow.id]
    assert (await sdk.get(runs.delete(slow.id, **within))).deleted
    assert (await sdk.get(evals.delete(made.id))).deleted
