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


def test_the_stream_of_a_run_ends_with_its_usage(beta: Any, simulator: Running) -> None:
    assistant = beta.assistants.create(model="gpt-4o+tokens=9;finish=60000")
    events = list(beta.threads.create_and_run(assistant_id=assistant.id, stream=True))
    completed = [event.data for event in events if event.event == "thread.run.completed"]
    assert [run.usage.completion_tokens for run in completed] == [9]
    assert simulator.books()["total"]["completion_tokens"] == 9
