"""Files, uploads, vector stores and containers, through the official SDK."""

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


@pytest.mark.parametrize(
    "content", [b"", b"\r\n--", b"line\r\n\r\n" * 3, bytes(range(256)) * 40_000], ids=len
)
def test_a_file_comes_back_byte_for_byte_until_it_is_deleted(client: Any, content: bytes) -> None:
    made = client.files.create(file=("data ü.bin", content), purpose="user_data")
    assert (made.bytes, made.filename) == (len(content), "data ü.bin")
    assert client.files.content(made.id).read() == content
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.content(made.id)


def test_files_are_listed_page_by_page_and_by_purpose(client: Any) -> None:
    made = [client.files.create(file=("a", b"x"), purpose="evals").id for _ in range(5)]
    assert [file.id for file in client.files.list(purpose="evals", limit=2)] == made[::-1]
    ascending = client.files.list(purpose="evals", order="asc", after=made[1], limit=2)
    assert [file.id for file in ascending.data] == made[2:4]
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("a", b"x"), purpose="fun")


def test_an_upload_puts_its_parts_together(client: Any) -> None:
    asked = {"bytes": 6, "filename": "a.txt", "mime_type": "text/plain", "purpose": "assistants"}
    upload = client.uploads.create(**asked)
    second, first = (client.uploads.parts.create(upload.id, data=data).id for data in (b"def", b"abc"))
    with pytest.raises(openai.BadRequestError):
        client.uploads.complete(upload.id, part_ids=[first])
    done = client.uploads.complete(upload.id, part_ids=[first, second])
    assert client.files.content(done.file.id).read() == b"abcdef"
    with pytest.raises(openai.BadRequestError):
        client.uploads.cancel(upload.id)
    assert client.uploads.cancel(client.uploads.create(**asked).id).status == "cancelled"


def test_a_vector_store_finds_what_its_files_say(client: Any) -> None:
    file = client.files.create(file=("a.txt", b"The river is wide"), purpose="assistants")
    store = client.vector_stores.create(name="store")
    assert client.vector_stores.files.create(store.id, file_id=file.id).status == "completed"
    assert client.vector_stores.search(store.id, query="river").data[0].content[0].text == "The river is wide"
    assert client.vector_stores.retrieve(store.id).file_counts.completed == 1
    batch = client.vector_stores.file_batches.create(store.id, file_ids=[file.id])
    listed = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id)
    assert [each.id for each in listed] == [file.id]
    answer = client.responses.create(
        model="gpt-4o", input="Hi", tools=[{"type": "file_search", "vector_store_ids": [store.id]}]
    )
    assert answer.output[0].type == "file_search_call"
    assert client.vector_stores.files.delete(file.id, vector_store_id=store.id).deleted
    assert client.files.content(file.id).read()
    client.vector_stores.delete(store.id)
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.retrieve(store.id)


def test_a_container_holds_files(client: Any) -> None:
    container = client.containers.create(name="box")
    file = client.containers.files.create(container.id, file=("a.csv", b"1,2"))
    assert client.containers.files.content.retrieve(file.id, container_id=container.id).read() == b"1,2"
    assert [each.id for each in client.containers.files.list(container.id)] == [file.id]
    client.containers.delete(container.id)
    with pytest.raises(openai.NotFoundError):
        client.containers.retrieve(container.id)


@pytest.mark.parametrize(
    "body", [b"", b"--x\r\n", b"--x\r\ncontent-disposition: form-data\r\n\r\nabc\r\n--x--"]
)
def test_a_broken_form_is_refused(simulator: Running, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = simulator.client.post("/v1/files", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_form")
