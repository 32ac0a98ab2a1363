"""The simulator knows every endpoint that the installed SDK does, but for those that are named here."""

import re

import pytest

from tests.sdk_operations import Operation, operations
from tests.simulators.openai.running import Running

NOT_SIMULATED = (
    "admin.",  # the account's own affairs, which no tenant has a part in
    "audio.voice_consents.",
    "audio.voices.",
    "beta.agents.",
    "beta.chatkit.",
    "content_provenance_checks.",
    "decisions.",
    "fine_tuning.alpha.",
    "live.",
    "realtime.translations.",
    "safety.",
    "skills.",
    "videos.create_character",
    "videos.get_character",
    "videos.edit",
    "videos.extend",
    "webhooks.",
)
SENT = [operation for operation in operations() if operation.path]


def is_known(simulator: Running, operation: Operation) -> bool:
    path = "/v1" + re.sub(r"\{\w+\}", "none", operation.path)
    answer = simulator.client.request(operation.method, path)
    return not ("Invalid URL" in answer.text or answer.status_code == 405)


@pytest.mark.parametrize("named", [True, False], ids=["not simulated", "simulated"])
def test_what_is_not_simulated_is_what_is_named_here(simulator: Running, named: bool) -> None:
    chosen = [each for each in SENT if each.name.startswith(NOT_SIMULATED) is named]
    assert len(chosen) > 100
    assert [each for each in chosen if is_known(simulator, each) is named] == []


def test_no_name_stands_here_for_nothing() -> None:
    names = [operation.name for operation in SENT]
    assert [each for each in NOT_SIMULATED if not any(name.startswith(each) for name in names)] == []
