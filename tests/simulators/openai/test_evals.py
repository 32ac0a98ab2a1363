"""Evals and their runs, through the official SDK and in the books."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.simulators.openai.running import Running

SCHEMA = {"type": "custom", "item_schema": {"type": "object"}, "include_sample_schema": True}
CHECK = {
    "type": "string_check",
    "name": "same",
    "input": "{{item.given}}",
    "operation": "eq",
    "reference": "{{ item.wanted }}",
}
SCORE = {
    "type": "score_model",
    "name": "score",
    "model": "gpt-4o-mini",
    "input": [{"role": "user", "content": "Rate {{sample.output_text}}"}],
}
ROWS = [{"item": {"given": "a", "wanted": "a"}}, {"item": {"given": "a", "wanted": "b"}}]
SAMPLED = {
    "type": "completions",
    "model": "gpt-4o+tokens=7",
    "source": {"type": "file_content", "content": ROWS},
    "input_messages": {"type": "template", "template": [{"role": "user", "content": "Say {{item.given}}"}]},
}


@pytest.fixture
def client(simulator: Running) -> Iterator[Any]:
    with OpenAI(base_url=f"{simulator.url}/v1", api_key="sk-test", max_retries=0) as client:
        yield client


def evaluation(client: Any, *criteria: Any) -> Any:
    return client.evals.create(data_source_config=SCHEMA, testing_criteria=criteria or [CHECK], name="one")


def test_an_eval_is_listed_changed_and_deleted(client: Any) -> None:
    made = evaluation(client)
    assert made.id in [each.id for each in client.evals.list()]
    assert client.evals.update(made.id, name="two").name == "two"
    assert client.evals.retrieve(made.id).testing_criteria[0].name == "same"
    assert client.evals.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.evals.retrieve(made.id)


def test_a_run_samples_grades_and_is_booked_once(client: Any, simulator: Running) -> None:
    parent = evaluation(client, CHECK, SCORE)
    made = client.evals.runs.create(parent.id, data_source=SAMPLED)
    assert (made.status, made.per_model_usage, made.model) == ("queued", None, "gpt-4o")
    for _ in range(2):
        done = client.evals.runs.retrieve(made.id, eval_id=parent.id)
    assert (done.status, done.result_counts.passed, done.result_counts.failed) == ("completed", 1, 1)
    assert [(each.passed, each.failed) for each in done.per_testing_criteria_results] == [(1, 1), (2, 0)]
    by_model = {each.run_model_name: each for each in done.per_model_usage}
    assert by_model["gpt-4o"].completion_tokens == 14
    assert by_model["gpt-4o-mini"].invocation_count == 2
    total = simulator.books()["total"]
    assert total["completion_tokens"] == sum(each.completion_tokens for each in done.per_model_usage)
    assert total["prompt_tokens"] == sum(each.prompt_tokens for each in done.per_model_usage)
    items = list(client.evals.runs.output_items.list(made.id, eval_id=parent.id))
    assert [(item.status, item.sample.input[0].content) for item in items] == [
        ("pass", "Say a"),
        ("fail", "Say a"),
    ]
    named = {"eval_id": parent.id, "run_id": made.id}
    assert client.evals.runs.output_items.retrieve(items[0].id, **named).results[0].passed
    with pytest.raises(openai.BadRequestError):
        client.evals.runs.cancel(made.id, eval_id=parent.id)


def test_a_run_reads_its_rows_from_a_file(client: Any, simulator: Running) -> None:
    content = "\n".join(map(json.dumps, ROWS)).encode()
    file = client.files.create(file=("rows.jsonl", content), purpose="user_data")
    parent = evaluation(client)
    source = {"type": "jsonl", "source": {"type": "file_id", "id": file.id}}
    made = client.evals.runs.create(parent.id, data_source=source)
    assert client.evals.runs.retrieve(made.id, eval_id=parent.id).result_counts.total == 2
    assert simulator.books()["total"]["prompt_tokens"] == 0
    missing = {"type": "jsonl", "source": {"type": "file_id", "id": "file-none"}}
    with pytest.raises(openai.NotFoundError):
        client.evals.runs.create(parent.id, data_source=missing)


def test_a_cancelled_or_deleted_run_is_never_booked(client: Any, simulator: Running) -> None:
    parent = evaluation(client)
    slow = {"data_source": SAMPLED | {"model": "gpt-4o+finish=60000"}}
    cancelled = client.evals.runs.create(parent.id, **slow)
    assert client.evals.runs.cancel(cancelled.id, eval_id=parent.id).status == "canceled"
    deleted = client.evals.runs.create(parent.id, **slow)
    assert client.evals.runs.delete(deleted.id, eval_id=parent.id).deleted
    assert [run.id for run in client.evals.runs.list(parent.id)] == [cancelled.id]
    assert simulator.books()["total"]["completion_tokens"] == 0
