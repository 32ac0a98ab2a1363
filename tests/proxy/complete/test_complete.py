"""Every method of the official SDK either works through the proxy, by both kinds of client, or is refused by it."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from proxy.endpoints.catalogue import find
from proxy.errors import Refusal
from tests.proxy.complete import assistants, media, realtime, responses, text, work
from tests.proxy.complete.driving import DRIVES, Recorded
from tests.sdk import Sdk, open_sdk
from tests.sdk_operations import operations
from tests.system import System

MODULES = (assistants, media, realtime, responses, text, work)
REFUSED = (
    "admin.",  # the account's own affairs, which no tenant has a part in
    "audio.voice_consents.",
    "audio.voices.",
    "beta.agents.",
    "beta.chatkit.",
    "beta.responses.connect",
    "content_provenance_checks.",
    "decisions.",
    "fine_tuning.alpha.",
    "fine_tuning.checkpoints.",  # permissions of other projects of the account
    "live.",
    "realtime.translations.",
    "responses.connect",
    "safety.",
    "skills.",
    "videos.create_character",
    "videos.edit",
    "videos.extend",
    "videos.get_character",
    "webhooks.",
)
ALIAS = "beta.chat."
"""The same resource as `chat.`."""
OPERATIONS = [each for each in operations() if not each.name.startswith(ALIAS)]
PASSED = [each for each in OPERATIONS if not each.name.startswith(REFUSED)]

# The SDK, of what OpenAI means to end, and of a way to open WebSockets that the library has just called old.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_every_method_has_a_drive_and_every_drive_has_methods() -> None:
    begun = [next((each for each in DRIVES if op.name.startswith(each)), op.name) for op in PASSED]
    assert set(begun) == set(DRIVES)


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("beginning", DRIVES)
async def test_every_method_works(house: System, beginning: str, kind: str) -> None:
    called: set[str] = set()
    async with open_sdk(house, kind) as sdk:
        client: Any = Recorded(sdk.client, called)
        drive = DRIVES[beginning](Sdk(client, house, sdk.tenant))
        # The synchronous client would hold up what else runs here.
        await drive if kind == "async" else await asyncio.to_thread(asyncio.run, drive)
    assert {each.name for each in PASSED if each.name.startswith(beginning)} <= called


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.path], ids=lambda each: each.name)
def test_what_is_refused_is_what_is_named_here(operation: Any) -> None:
    refused = False
    try:
        find(operation.method, "/v1" + operation.path.replace("{", "some-").replace("}", ""))
    except Refusal as refusal:
        refused = refusal.status in (404, 405)
    assert refused is operation.name.startswith(REFUSED)


@pytest.mark.parametrize("path", ["responses", "realtime/translations", "live", "live/forks"])
async def test_no_other_websocket_opens(house: System, path: str) -> None:
    tenant = await house.tenant()
    url = f"ws://{urlsplit(house.proxy_url).netloc}/v1/{path}?model=gpt-realtime"
    headers = {"authorization": f"Bearer {tenant.key}"}
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers=headers, proxy=None):
            raise AssertionError
    assert refused.value.response.status_code == 404
