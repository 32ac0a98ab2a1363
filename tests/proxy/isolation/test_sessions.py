"""Nobody opens a Realtime session by what is another's: a call, or a model that was tuned for another."""

from urllib.parse import quote, urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.proxy.isolation.actor import Actor
from tests.proxy.isolation.objects import MAKERS


def session(actor: Actor, name: str, value: str) -> connect:
    url = f"ws://{urlsplit(actor.house.proxy_url).netloc}/v1/realtime?{name}={quote(value)}"
    headers = {"authorization": f"Bearer {actor.tenant.key}"}
    return connect(url, additional_headers=headers, proxy=None)


@pytest.mark.parametrize(("name", "kind"), [("call_id", "call"), ("model", "model")])
async def test_what_is_anothers_opens_no_session(owner: Actor, stranger: Actor, name: str, kind: str) -> None:
    theirs = await MAKERS[kind](owner, {})
    for value in (theirs, f" {theirs}"):
        with pytest.raises(InvalidStatus) as refused:
            async with session(stranger, name, value):
                raise AssertionError
        assert refused.value.response.status_code == 404
    async with session(owner, name, theirs) as talk:
        assert b"session.created" in await talk.recv(decode=False)
