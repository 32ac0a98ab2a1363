"""Work that takes its time: batches, fine-tuning, videos; through the official SDK and in the books."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.simulators.openai.running import Running


@pytest.fixture
def client(simulator: Running) -> Iterator[Any]:
    with OpenAI(base_url=f"{simulator.url}/v1", api_key="sk-test", max_retries=0) as client:
        yield client


def batch(client: Any, models: list[str], switches: str = "") -> Any:
    lines = [
        {
            "custom_id": str(number),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": model, "messages": [{"role": "user", "content": "Hi"}]},
        }
        for number, model in enumerate(models)
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    file = client.files.create(file=("batch.jsonl", content), purpose="batch")
    return client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        extra_headers={"x-sim": switches},
    )


def test_a_batch_answers_every_line_and_is_booked_once_when_done(client: Any, simulator: Running) -> None:
    made = batch(client, ["gpt-4o+tokens=7", "gpt-4o+tokens=8", "gpt-none"])
    assert (made.status, made.output_file_id) == ("validating", None)
    done = client.batches.retrieve(made.id)
    assert (done.status, done.request_counts.completed, done.request_counts.failed) == ("completed", 2, 1)
    lines = [json.loads(line) for line in client.files.content(done.output_file_id).text.splitlines()]
    assert [line["response"]["body"]["usage"]["completion_tokens"] for line in lines] == [7, 8]
    error = json.loads(client.files.content(done.error_file_id).text)
    assert (error["custom_id"], error["response"]["status_code"]) == ("2", 404)
    client.batches.retrieve(made.id)
    assert simulator.books()["total"]["completion_tokens"] == done.usage.output_tokens == 15


def test_a_cancelled_batch_is_neither_finished_nor_booked(client: Any, simulator: Running) -> None:
    made = batch(client, ["gpt-4o"], "finish=60000")
    assert client.batches.retrieve(made.id).status == "validating"
    assert client.batches.cancel(made.id).status == "cancelling"
    assert client.batches.retrieve(made.id).status == "cancelled"
    assert simulator.books()["total"]["completion_tokens"] == 0


def test_a_fine_tuning_job_reports_what_it_learned(client: Any, simulator: Running) -> None:
    file = client.files.create(file=("a.jsonl", b"The river is wide"), purpose="fine-tune")
    made = client.fine_tuning.jobs.create(
        model="gpt-4o-mini", training_file=file.id, hyperparameters={"n_epochs": 2}
    )
    done = client.fine_tuning.jobs.retrieve(made.id)
    assert (made.status, done.status, done.trained_tokens) == ("validating_files", "succeeded", 8)
    assert len(list(client.fine_tuning.jobs.list_events(made.id))) == 3
    assert len(list(client.fine_tuning.jobs.checkpoints.list(made.id))) == 1
    answer = client.chat.completions.create(
        model=done.fine_tuned_model, messages=[{"role": "user", "content": "Hi"}]
    )
    assert answer.model == done.fine_tuned_model
    assert simulator.books()["models"]["gpt-4o-mini"]["prompt_tokens"] == 8
    with pytest.raises(openai.BadRequestError):
        client.fine_tuning.jobs.cancel(made.id)


def test_a_tuned_model_is_listed_until_it_is_deleted(client: Any) -> None:
    file = client.files.create(file=("a.jsonl", b"The river is wide"), purpose="fine-tune")
    made = client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=file.id)
    model = client.fine_tuning.jobs.retrieve(made.id).fine_tuned_model
    assert model in [each.id for each in client.models.list()]
    assert client.models.retrieve(model).owned_by == "org-simulated"
    assert client.models.delete(model).deleted
    assert model not in [each.id for each in client.models.list()]
    for call in (client.models.retrieve, client.models.delete):
        with pytest.raises(openai.NotFoundError):
            call(model)
    with pytest.raises(openai.PermissionDeniedError):
        client.models.delete("gpt-4o-mini")


def test_permissions_of_a_checkpoint_are_given_and_taken(client: Any) -> None:
    permissions = client.fine_tuning.checkpoints.permissions
    [made] = permissions.create("ft:gpt-4o-mini:x::y", project_ids=["proj_1"])
    assert [each.id for each in permissions.list("ft:gpt-4o-mini:x::y")] == [made.id]
    assert permissions.delete(made.id, fine_tuned_model_checkpoint="ft:gpt-4o-mini:x::y").deleted
    assert list(permissions.list("ft:gpt-4o-mini:x::y")) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK, of what OpenAI means to end
def test_a_video_is_booked_by_its_seconds_when_done(client: Any, simulator: Running) -> None:
    slow = {"extra_headers": {"x-sim": "finish=60000"}}
    waiting = client.videos.create(prompt="A cat", seconds="8", **slow)
    with pytest.raises(openai.NotFoundError):
        client.videos.download_content(waiting.id)
    made = client.videos.create(prompt="A cat", seconds="8")
    assert (made.status, client.videos.retrieve(made.id).status) == ("queued", "completed")
    assert client.videos.download_content(made.id).read()
    assert simulator.books()["models"]["sora-2"]["seconds"] == 8
