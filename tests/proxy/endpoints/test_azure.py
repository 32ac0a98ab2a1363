"""Azure's paths, read as OpenAI's."""

import pytest

from proxy.endpoints.azure import Place, as_openai

VERSION = b"api-version=2024-10-21"


@pytest.mark.parametrize(
    ("path", "query", "place"),
    [
        (b"/openai/v1/chat/completions", b"", Place(b"/v1/chat/completions", b"")),
        (b"/openai/v1/responses", b"api-version=preview", Place(b"/v1/responses", b"")),
        (b"/openai/responses/resp_1", VERSION, Place(b"/v1/responses/resp_1", b"")),
        (b"/openai/files", b"limit=5&" + VERSION + b"&after=a", Place(b"/v1/files", b"limit=5&after=a")),
        (b"/openai/files", b"API-Version=x", Place(b"/v1/files", b"")),
        (b"/openai/deployments/ours/chat/completions", VERSION, Place(b"/v1/chat/completions", b"", "ours")),
        (b"/openai/deployments/gpt%2F4%20o/embeddings", VERSION, Place(b"/v1/embeddings", b"", "gpt/4 o")),
        (b"/openai/deployments/t/audio/speech", VERSION, Place(b"/v1/audio/speech", b"", "t")),
        (b"/openai/deployments/i/images/generations", VERSION, Place(b"/v1/images/generations", b"", "i")),
        (b"/openai/deployments/ours/files", VERSION, Place(b"/v1/deployments/ours/files", b"")),
        (b"/openai/deployments//embeddings", VERSION, Place(b"/v1/deployments//embeddings", b"")),
        (b"/openai/deployments/ours", VERSION, Place(b"/v1/deployments/ours", b"")),
        (b"/openai/realtime", VERSION + b"&deployment=rt", Place(b"/v1/realtime", b"model=rt")),
        (b"/openai/realtime", b"model=a&" + VERSION, Place(b"/v1/realtime", b"model=a")),
        (b"/openai/chat/completions", b"deployment=rt", Place(b"/v1/chat/completions", b"deployment=rt")),
        (b"/openai", VERSION, None),
        (b"/openaifiles", VERSION, None),
        (b"/v1/files", VERSION, None),
    ],
)
def test_a_path_of_azures_stands_for_one_of_openais(path: bytes, query: bytes, place: Place | None) -> None:
    assert as_openai(path, query) == place
