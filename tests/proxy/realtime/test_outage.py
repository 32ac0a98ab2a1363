"""Sessions while what is around the proxy stands still: Redis, or the client."""

import asyncio
import socket
from urllib.parse import urlsplit

from tests.proxy.realtime.stage import SECONDS, client, heard, told
from tests.proxy.test_failures import Plane, proxy_here, tenant_of


async def test_a_session_ends_when_nobody_can_tell_whether_there_is_room_for_its_next_turn(
    plane: Plane,
) -> None:
    tenant = await tenant_of(plane)
    async with client(plane.system, tenant, headers={"x-sim": "tokens=4"}) as connection:
        assert (await heard(connection))["type"] == "session.created"
        with plane.frozen("valkey"):
            await told(connection, "response.create")
            while (event := await heard(connection))["type"] != "error":
                last = event["type"]
            assert last == "response.done"
            assert event["error"]["code"] == "limits_unavailable"
            await asyncio.wait_for(connection.wait_closed(), SECONDS)
    assert (connection.close_code, connection.close_reason) == (1013, "limits_unavailable")
    [row] = await plane.settled(tenant, 1)
    assert (row["outcome"], row["output_tokens"]) == ("completed", 4)


async def test_a_client_that_takes_nothing_is_ended_and_pays_for_what_it_was_sent(plane: Plane) -> None:
    tenant = await tenant_of(plane)
    async with proxy_here(plane, client_stall_seconds=1.0) as url:
        parts = urlsplit(url)
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect((parts.hostname, parts.port))
        narrow.setblocking(False)
        headers = {"x-sim": "tokens=100000", "x-client-request-id": "stalled session"}
        async with client(plane.system, tenant, headers=headers, sock=narrow, max_queue=1) as connection:
            await told(connection, "response.create")
            [row] = await plane.settled(tenant, 1)
            connection.transport.abort()
    assert (row["outcome"], row["usage_source"]) == ("client_gone", "tokenizer")
    assert 0 < row["output_tokens"] < 100_000
    [seen] = (await plane.system.books(client_request_id="stalled session"))["requests"]
    assert seen["completion_tokens_served"] <= 100_000
