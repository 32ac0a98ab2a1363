"""Assistants, threads and runs, through the official SDK and in the books."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.simulators.openai.running import Running

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK, of what OpenAI means to end


@pytest.fixture
def beta(simulator: Running) -> Iterator[Any]:
    with OpenAI(base_url=f"{simulator.url}/v1", api_key="sk-test", max_retries=0) as client:
        yield client.beta


def test_a_run_answers_in_its_thread_and_is_booked_once(beta: Any, simulator: Running) -> None:
    assistant = beta.assistants.create(model="gpt-4o+tokens=9", name="Tutor")
    thread = beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    made = beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    assert (made.status, made.usage) == ("queued", None)
    done = beta.threads.runs.retrieve(made.id, thread_id=thread.id)
    steps = beta.threads.runs.steps.list(made.id, thread_id=thread.id).data
    assert (done.status, done.usage.completion_tokens) == ("completed", 9)
    assert [step.usage.total_tokens for step in steps] == [done.usage.total_tokens]
    said = beta.threads.messages.list(thread.id, order="asc").data
    assert [message.role for message in said] == ["user", "assistant"]
    assert simulator.books()["total"]["completion_tokens"] == 9
    with pytest.raises(openai.BadRequestError):
        beta.threads.runs.cancel(made.id, thread_id=thread.id)
    beta.threads.delete(thread.id)
    with pytest.raises(openai.NotFoundError):
        beta.threads.messages.list(thread.id)


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


def test_a_run_that_requires_action_goes_on_with_the_outputs_and_is_booked_once(
    beta: Any, simulator: Running
) -> None:
    assistant = beta.assistants.create(model="gpt-4o+tokens=9;requires_action=2", tools=TOOLS)
    thread = beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    for _ in range(2):
        assert (run.status, run.usage) == ("requires_action", None)
        [asked] = run.required_action.submit_tool_outputs.tool_calls
        assert (asked.function.name, asked.function.arguments) == ("get_weather", '{"city":"Paris"}')
        with pytest.raises(openai.BadRequestError, match="Expected tool outputs"):
            beta.threads.runs.submit_tool_outputs(run.id, thread_id=thread.id, tool_outputs=[])
        assert simulator.books()["total"]["completion_tokens"] == 0
        run = beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id,
            thread_id=thread.id,
            tool_outputs=[{"tool_call_id": asked.id, "output": "rain"}],
        )
    assert (run.status, run.required_action) == ("completed", None)
    steps = beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data
    assert [step.type for step in steps] == ["tool_calls", "tool_calls", "message_creation"]
    assert steps[0].step_details.tool_calls[0].function.output == "rain"
    assert steps[0].usage.prompt_tokens < steps[2].usage.prompt_tokens
    assert sum(step.usage.total_tokens for step in steps) == run.usage.total_tokens
    assert simulator.books()["total"]["completion_tokens"] == run.usage.completion_tokens
    with pytest.raises(openai.BadRequestError, match="do not accept tool outputs"):
        beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": asked.id, "output": "rain"}]
        )


def test_a_run_is_cancelled_at_the_price_of_what_it_did(beta: Any, simulator: Running) -> None:
    assistant = beta.assistants.create(model="gpt-4o+requires_action", tools=TOOLS)
    run = beta.threads.create_and_run_poll(assistant_id=assistant.id)
    assert run.status == "requires_action"
    ended = beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    assert (ended.status, ended.usage.completion_tokens) == ("cancelled", 7)
    assert simulator.books()["total"]["completion_tokens"] == 7


def test_the_streams_of_a_run_that_requires_action_are_what_the_sdks_helper_reads(beta: Any) -> None:
    assistant = beta.assistants.create(model="gpt-4o+tokens=9;requires_action;finish=60000", tools=TOOLS)
    thread = beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    with beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        stream.until_done()
    run = stream.current_run
    [asked] = run.required_action.submit_tool_outputs.tool_calls
    [step] = stream.get_final_run_steps()
    assert step.step_details.tool_calls[0].function.arguments == asked.function.arguments
    outputs = [{"tool_call_id": asked.id, "output": "rain"}]
    with beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs
    ) as stream:
        [message] = stream.get_final_messages()
    kept = beta.threads.messages.retrieve(message.id, thread_id=thread.id)
    assert kept.content[0].text.value == message.content[0].text.value
    done = beta.threads.runs.retrieve(run.id, thread_id=thread.id)
    assert (done.status, stream.current_run.usage) == ("completed", done.usage)


def test_the_stream_of_a_run_ends_with_its_usage(beta: Any, simulator: Running) -> None:
    assistant = beta.assistants.create(model="gpt-4o+tokens=9;finish=60000")
    events = list(beta.threads.create_and_run(assistant_id=assistant.id, stream=True))
    completed = [event.data for event in events if event.event == "thread.run.completed"]
    assert [run.usage.completion_tokens for run in completed] == [9]
    assert simulator.books()["total"]["completion_tokens"] == 9
