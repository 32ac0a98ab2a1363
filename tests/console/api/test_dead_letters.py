"""Records that could not be stored: seen, tried again, discarded for a reason; each step is in the audit."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import orjson

from ledger.database import Pool
from ledger.usage import Usage
from ledger.usage_record import UsageRecord
from proxy.record import form
from proxy.record.batches import Batches, decode
from proxy.record.stream import Entry
from tests.console.running import Console, refused

PATH = "/api/admin/dead-letters"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECORD = UsageRecord(
    request_id="req_1", occurred_at=NOW, organization_id="org_1", project_id=None, key_id="key_1", member_id=None,
    endpoint="/v1/chat/completions", model="gpt-4o-mini", upstream="here", stream=False, status=200,
    outcome="completed", usage=Usage(input_tokens=7, output_tokens=5), usage_source="provider", cost_nano_usd=1,
    cost_nano_eur=1, price_nano=9, price_nano_eur=9, currency="EUR", usd_per_eur=Decimal("1.16"), price_ref=None,
    request_bytes=80, response_bytes=400, first_byte_ms=None, duration_ms=30, search_term=None,
)  # fmt: skip


async def buried(pool: Pool, *payloads: bytes) -> None:
    entries = [Entry("{p01}:usage", f"1-{number}", payload) for number, payload in enumerate(payloads)]
    assert (await Batches(pool).store(decode(entries, NOW))).dead == len(payloads)


async def bury_one_that_fits_now(pool: Pool) -> None:
    """Refused by a rule of the database that is gone again."""
    await pool.execute("alter table usage add constraint passing check (model <> 'gpt-4o-mini')")
    await buried(pool, form.write(RECORD))
    await pool.execute("alter table usage drop constraint passing")


async def open_letters(console: Console) -> float:
    page = (await console.nobody.get("/metrics")).text
    [line] = [line for line in page.splitlines() if line.startswith("tollkeeper_dead_letters ")]
    return float(line.split()[1])


async def test_each_is_listed_counted_and_shown_with_its_reason_and_what_of_it_can_be_read(
    console: Console, pool: Pool
) -> None:
    assert await open_letters(console) == 0
    bent = {
        **orjson.loads(form.write(RECORD)),
        "v": 7,
        "authorization": "Bearer sk-secret",
        "model": "m" * 999,
        "endpoint": ["x"],
    }
    await buried(
        pool, b"\xff\x00nothing", orjson.dumps(bent), orjson.dumps({"record": {"request_id": "req_9"}})
    )
    assert await open_letters(console) == 3
    letters = await console.all_pages(PATH, 2)
    assert [letter["entry_id"] for letter in letters] == ["1-2", "1-1", "1-0"]
    assert "version 7" in letters[1]["reason"]
    shown = (await console.admin.get(f"{PATH}/{letters[1]['id']}")).json()
    assert shown["letter"] == letters[1]
    assert (shown["readable"]["request_id"], shown["readable"]["price_nano"]) == ("req_1", 9)
    assert shown["readable"]["model"] == "m" * 200
    assert "endpoint" not in shown["readable"]
    assert "sk-secret" not in str(shown)
    assert (await console.admin.get(f"{PATH}/{letters[0]['id']}")).json()["readable"] == {
        "request_id": "req_9"
    }
    assert (await console.admin.get(f"{PATH}/{letters[2]['id']}")).json()["readable"] == {}


async def test_one_that_fits_now_is_stored_once(console: Console, pool: Pool) -> None:
    await bury_one_that_fits_now(pool)
    [letter] = await console.all_pages(PATH, 10)
    answer = await console.admin.post(f"{PATH}/{letter['id']}/replay")
    assert (answer.status_code, answer.json()["closed_as"]) == (200, "replayed")
    [row] = await pool.fetch("select request_id, input_tokens from usage")
    assert tuple(row) == ("req_1", 7)
    assert await open_letters(console) == 0
    refused(await console.admin.post(f"{PATH}/{letter['id']}/replay"), 409, says="replayed already")
    assert await console.all_pages(PATH, 10) == []
    assert [each["id"] for each in await console.all_pages(f"{PATH}?closed=true", 10)] == [letter["id"]]
    [entry] = await console.all_pages(f"/api/admin/audit?object={letter['id']}", 10)
    assert (entry["action"], entry["detail"]) == ("dead_letter.replay", {"stored": True})


async def test_one_that_still_does_not_fit_stays_with_what_stands_in_the_way(
    console: Console, pool: Pool
) -> None:
    await buried(pool, form.write(replace(RECORD, price_nano=2**63)))
    await pool.execute("update dead_letter set reason = 'another'")
    [letter] = await console.all_pages(PATH, 10)
    answer = await console.admin.post(f"{PATH}/{letter['id']}/replay")
    assert answer.status_code == 200
    assert answer.json() == {**letter, "reason": answer.json()["reason"]}
    assert "out of" in answer.json()["reason"]
    assert await pool.fetch("select * from usage") == []
    [entry] = await console.all_pages(f"/api/admin/audit?object={letter['id']}", 10)
    assert entry["detail"] == {"stored": False}


async def test_one_is_discarded_only_for_a_reason_and_is_kept(console: Console, pool: Pool) -> None:
    await buried(pool, b"nothing")
    [letter] = await console.all_pages(PATH, 10)
    path = f"{PATH}/{letter['id']}/discard"
    refused(await console.admin.post(path, json={}), 400, "reason")
    refused(await console.admin.post(path, json={"reason": "  "}), 400, "reason")
    assert await open_letters(console) == 1
    answer = await console.admin.post(path, json={"reason": "a test of ours"})
    assert (answer.json()["closed_as"], answer.json()["note"]) == ("discarded", "a test of ours")
    refused(await console.admin.post(f"{PATH}/{letter['id']}/replay"), 409)
    [entry] = await console.all_pages(f"/api/admin/audit?object={letter['id']}", 10)
    assert (entry["action"], entry["detail"]) == ("dead_letter.discard", {"reason": "a test of ours"})
    assert await pool.fetchval("select payload from dead_letter") == b"nothing"


async def test_what_is_none_is_not_found_and_nobody_else_may_look(console: Console) -> None:
    for name in ("1", "x", "9" * 30, "-1"):
        refused(await console.admin.get(f"{PATH}/{name}"), 404)
        refused(await console.admin.post(f"{PATH}/{name}/replay"), 404)
    assert (await console.nobody.get(PATH)).status_code == 401
