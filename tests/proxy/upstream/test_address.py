from typing import Any

import pytest

from config.upstreams.schema import Entry
from proxy.upstream.address import socket_target, target


def entry(**given: Any) -> Entry:
    return Entry.model_validate(
        {"name": "a", "base_url": "https://a.example", "api_key_env": "KEY", **given}, context={"KEY": "k"}
    )


@pytest.mark.parametrize("kind", ["openai", "compatible"])
def test_openais_own_paths_stay_as_they_are(kind: str) -> None:
    assert target(entry(kind=kind), b"/chat/completions", b"a=1", "m") == b"/chat/completions?a=1"
    assert target(entry(kind=kind), b"/models", b"", "") == b"/models"


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        (
            b"/chat/completions",
            b"",
            b"/openai/deployments/our%20gpt%2F4/chat/completions?api-version=2024-10-21",
        ),
        (
            b"/audio/speech",
            b"a=1&api-version=2020-01-01",
            b"/openai/deployments/our%20gpt%2F4/audio/speech?a=1&api-version=2024-10-21",
        ),
        (b"/files", b"limit=2", b"/openai/files?limit=2&api-version=2024-10-21"),
        (b"/chat/completions/x", b"", b"/openai/chat/completions/x?api-version=2024-10-21"),
    ],
)
def test_azures_dated_versions_name_the_deployment_in_the_path(
    path: bytes, query: bytes, expected: bytes
) -> None:
    assert target(entry(kind="azure", api_version="2024-10-21"), path, query, "our gpt/4") == expected


def test_azures_v1_has_openais_paths() -> None:
    assert target(entry(kind="azure"), b"/responses", b"a=1", "m") == b"/openai/v1/responses?a=1"


@pytest.mark.parametrize(
    ("members", "model", "place"),
    [
        ({}, None, b"/realtime?model=a&x=1"),
        ({}, "b c", b"/realtime?model=b%20c&x=1"),
        ({"kind": "azure", "api_version": "v1"}, "b", b"/openai/v1/realtime?model=b&x=1"),
        (
            {"kind": "azure", "api_version": "2025-04-01-preview"},
            "b",
            b"/openai/realtime?deployment=b&x=1&api-version=2025-04-01-preview",
        ),
    ],
)
def test_a_session_names_its_model_as_the_upstream_calls_it(
    members: dict[str, str], model: str | None, place: bytes
) -> None:
    assert socket_target(entry(**members), b"/realtime", b"model=a&x=1", model) == place
