"""Assistants, threads, messages, runs and their steps."""

from typing import Any

from tests.proxy.complete.driving import QUICKLY, drives, ids
from tests.sdk import Sdk, sim

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
ACTING = {"extra_headers": sim(requires_action=1, tokens=8)}


def outputs(run: Any) -> dict[str, Any]:
    calls = run.required_action.submit_tool_outputs.tool_calls
    given = [{"tool_call_id": call.id, "output": "rain"} for call in calls]
    return {"run_id": run.id, "thread_id": run.thread_id, "tool_outputs": given}


@drives("beta.assistants.")
async def assistants(sdk: Sdk) -> None:
    assistants = sdk.client.beta.assistants
    made = await sdk.get(assistants.create(model="gpt-4o-mini"))
    assert ids(await sdk.all(assistants.list())) == [made.id]
    assert (await sdk.get(assistants.update(made.id, name="two"))).name == "two"
    assert (await sdk.get(assistants.retrieve(made.id))).name == "two"
    assert (await sdk.get(assistants.delete(made.id))).deleted


@drives("beta.threads.")
async def threads(sdk: Sdk) -> None:
    beta = sdk.client.beta
    threads, runs = beta.threads, beta.threads.runs
    by = {"assistant_id": (await sdk.get(beta.assistants.create(model="gpt-4o-mini", tools=[TOOL]))).id}
    thread = await sdk.get(threads.create(messages=[{"role": "user", "content": "Hello"}]))
    within = {"thread_id": thread.id}
    assert (await sdk.get(threads.update(thread.id, metadata={"a": "b"}))).metadata == {"a": "b"}
    assert (await sdk.get(threads.retrieve(thread.id))).id == thread.id
    await messages(sdk, thread.id)

    run = await sdk.get(runs.create(thread.id, **by))
    assert (await sdk.get(runs.retrieve(run.id, **within))).usage.completion_tokens
    assert (await sdk.get(runs.update(run.id, **within, metadata={"a": "b"}))).metadata == {"a": "b"}
    [step] = await sdk.all(runs.steps.list(run.id, **within))
    assert (await sdk.get(runs.steps.retrieve(step.id, run_id=run.id, **within))).id == step.id
    assert (await sdk.get(runs.poll(run.id, **within, **QUICKLY))).status == "completed"
    slow = await sdk.get(runs.create(thread.id, **by, extra_headers=sim(finish=60_000)))
    assert (await sdk.get(runs.cancel(slow.id, **within))).status == "cancelled"

    asking = await sdk.get(runs.create_and_poll(**within, **by, **QUICKLY, **ACTING))
    await sdk.get(runs.submit_tool_outputs(**outputs(asking)))
    asking = await sdk.get(runs.create_and_poll(**within, **by, **QUICKLY, **ACTING))
    done = await sdk.get(runs.submit_tool_outputs_and_poll(**outputs(asking), **QUICKLY))
    assert done.status == "completed"
    [asked] = await sdk.finish(runs.stream(**within, **by, **ACTING), "get_final_run_steps")
    asking = await sdk.get(runs.retrieve(asked.run_id, **within))
    streamed = runs.submit_tool_outputs_stream(**outputs(asking))
    assert len(await sdk.finish(streamed, "get_final_messages")) == 1
    assert len(ids(await sdk.all(runs.list(thread.id)))) == 5
    await whole(sdk, by)
    assert (await sdk.get(threads.delete(thread.id))).deleted


async def messages(sdk: Sdk, thread_id: str) -> None:
    messages, within = sdk.client.beta.threads.messages, {"thread_id": thread_id}
    said = await sdk.get(messages.create(thread_id, role="user", content="And?"))
    assert (await sdk.get(messages.update(said.id, **within, metadata={"a": "b"}))).metadata == {"a": "b"}
    assert (await sdk.get(messages.retrieve(said.id, **within))).id == said.id
    assert len(await sdk.all(messages.list(thread_id))) == 2
    assert (await sdk.get(messages.delete(said.id, **within))).deleted


async def whole(sdk: Sdk, by: dict[str, str]) -> None:
    """A thread and its run in one call."""
    threads = sdk.client.beta.threads
    assert (await sdk.get(threads.create_and_run(**by))).status == "queued"
    assert (await sdk.get(threads.create_and_run_poll(**by, **QUICKLY))).status == "completed"
    streamed = threads.create_and_run_stream(**by)
    assert len(await sdk.finish(streamed, "get_final_messages")) == 1
    old = threads.runs.create_and_stream(thread_id=(await sdk.get(threads.create())).id, **by)
    assert len(await sdk.finish(old, "get_final_messages")) == 1
