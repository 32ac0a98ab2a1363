from datetime import UTC, datetime

import pytest

from tests.console.running import Console, Fields, Record, refused

PATH = "/api/admin/usage"

ROW = {
    "request_id",
    "timestamp",
    "organization_id",
    "project_id",
    "key_id",
    "member_id",
    "endpoint",
    "model",
    "upstream",
    "stream",
    "status",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "quantities",
    "cost_usd",
    "cost_eur",
    "price_eur",
    "usage_source",
    "request_bytes",
    "response_bytes",
    "first_byte_ms",
    "duration_ms",
    "search_term",
}


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


async def ids(console: Console, query: str) -> list[str]:
    answer = await console.admin.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    return [row["request_id"] for row in answer.json()["data"]]


async def test_a_row_says_all_that_was_promised(console: Console, record: Record) -> None:
    await record("req_1", "org_a", quantities={"images": 2}, search_term="invoice 7")
    (row,) = (await console.admin.get(PATH)).json()["data"]
    assert set(row) >= ROW
    assert row["timestamp"] == "2026-11-21T12:00:00Z"
    assert (row["cost_usd"], row["cost_eur"], row["price_eur"]) == ("0.000075", "0.000065", "0.000078")
    assert (row["quantities"], row["search_term"]) == ({"images": 2}, "invoice 7")


async def test_from_belongs_to_the_span_and_to_does_not(console: Console, record: Record) -> None:
    for day in (1, 2, 3):
        await record(f"req_{day}", "org_a", occurred_at=at(day))
    assert await ids(console, "from=2026-11-01T12:00:00Z&to=2026-11-03T12:00:00Z") == ["req_2", "req_1"]
    assert await ids(console, "from=2026-11-03T13:00:00%2B01:00") == ["req_3"]
    assert await ids(console, "from=2026-11-03T13:00:00+01:00") == ["req_3"]
    assert await ids(console, "to=2026-11-01T12:00:00.000001Z") == ["req_1"]


async def test_filters_narrow_together(console: Console, record: Record) -> None:
    await record("req_1", "org_a", key_id="key_1", project_id="proj_1", member_id="mem_1")
    await record("req_2", "org_a", key_id="key_2", model="gpt-5")
    await record("req_3", "org_b", key_id="key_3")
    assert await ids(console, "organization=org_a") == ["req_2", "req_1"]
    assert await ids(console, "organization=org_a&model=gpt-5") == ["req_2"]
    assert await ids(console, "key=key_1&project=proj_1&member=mem_1") == ["req_1"]
    assert await ids(console, "organization=org_b&key=key_1") == []


async def test_rows_are_paged_without_loss_or_repetition_also_at_one_instant(
    console: Console, record: Record
) -> None:
    for number in range(7):
        await record(f"req_{number}", "org_a", occurred_at=at(1 + number // 4))
    rows = await console.all_pages(PATH, 2)
    assert [row["request_id"] for row in rows] == [
        "req_6",
        "req_5",
        "req_4",
        "req_3",
        "req_2",
        "req_1",
        "req_0",
    ]


async def test_sums_add_up(console: Console, record: Record) -> None:
    await record("req_1", "org_a")
    await record("req_2", "org_a", output_tokens=7, cost_nano_usd=25_000)
    await record("req_3", "org_b", model="gpt-5")
    sums = await console.all_pages(f"{PATH}?group_by=organization", 1)
    first = sums[0]
    assert [row["organization_id"] for row in sums] == ["org_a", "org_b"]
    assert (first["requests"], first["input_tokens"], first["output_tokens"]) == (2, 20, 12)
    assert (first["total_tokens"], first["cached_input_tokens"], first["reasoning_tokens"]) == (32, 8, 4)
    assert (first["cost_usd"], first["cost_eur"], first["price_eur"]) == ("0.0001", "0.00013", "0.000156")
    assert (first["request_bytes"], first["response_bytes"]) == (200, 400)


@pytest.mark.parametrize(
    ("group_by", "field", "values"),
    [
        ("organization", "organization_id", ["org_a", "org_b"]),
        ("project", "project_id", [None, "proj_1"]),
        ("key", "key_id", [None, "key_1"]),
        ("member", "member_id", [None, "mem_1"]),
        ("model", "model", ["gpt-4o", "gpt-5"]),
        ("endpoint", "endpoint", ["chat/completions", "embeddings"]),
        ("upstream", "upstream", ["azure", "openai"]),
        ("day", "day", ["2026-11-20", "2026-11-21"]),
        ("hour", "hour", ["2026-11-20T23:00:00Z", "2026-11-21T00:00:00Z"]),
        ("status", "status", [200, 429]),
    ],
)
async def test_every_grouping(
    console: Console, record: Record, group_by: str, field: str, values: list[object]
) -> None:
    await record("req_1", "org_a", occurred_at=at(20, 23))
    await record(
        "req_2",
        "org_b",
        occurred_at=at(21, 0),
        project_id="proj_1",
        key_id="key_1",
        member_id="mem_1",
        model="gpt-5",
        endpoint="embeddings",
        upstream="azure",
        status=429,
    )
    sums = await console.all_pages(f"{PATH}?group_by={group_by}", 1)
    assert [row[field] for row in sums] == values
    assert [row["requests"] for row in sums] == [1, 1]


async def test_two_groupings_cross(console: Console, record: Record) -> None:
    for number, model in enumerate(["a", "b", "a"]):
        await record(f"req_{number}", "org_a", model=model, occurred_at=at(1 + number))
    sums = await console.all_pages(f"{PATH}?group_by=model,day", 1)
    assert [(row["model"], row["day"]) for row in sums] == [
        ("a", "2026-11-01"),
        ("a", "2026-11-03"),
        ("b", "2026-11-02"),
    ]


BAD: list[tuple[str, str]] = [
    ("from=2026-11-01T00:00:00", "from"),
    ("from=yesterday", "from"),
    ("to=2026-11-01", "to"),
    ("to=9999-12-31T23:59:59-23:00", "to"),
    ("group_by=colour", "group_by"),
    ("group_by=model,model", "group_by"),
    ("limit=0", "limit"),
    ("limit=1001", "limit"),
    ("limit=many", "limit"),
    ("cursor=%00", "cursor"),
    ("cursor=bm90IGpzb24", "cursor"),
    ("cursor=WyJhIiwiYiJd", "cursor"),
    ("group_by=model&cursor=WyJhIiwiYiJd", "cursor"),
    ("organisation=org_a", "organisation"),
    ("organization=org_a&organization=org_b", "organization"),
    ("organization=%00", "organization"),
    ("model=" + "x" * 201, "model"),
]


async def test_bad_parameters_are_refused_by_name(console: Console) -> None:
    for query, param in BAD:
        refused(await console.admin.get(f"{PATH}?{query}"), 400, param)


async def test_a_key_sees_its_organizations_usage_and_never_anothers(
    console: Console, organization: Fields, record: Record
) -> None:
    other = await console.make("organizations", name="Other")
    await record("req_mine", organization["id"])
    await record("req_other", other["id"], model="gpt-5", key_id="key_other")
    key = await console.key(organization)
    rows = (await console.mine(key, "usage")).json()["data"]
    assert [row["request_id"] for row in rows] == ["req_mine"]
    sums = (await console.mine(key, "usage?group_by=organization,model")).json()["data"]
    assert [(row["organization_id"], row["model"]) for row in sums] == [(organization["id"], "gpt-4o")]
    assert (await console.mine(key, "usage?key=key_other")).json()["data"] == []
    refused(await console.mine(key, f"usage?organization={other['id']}"), 400, "organization")


async def test_a_cursor_of_another_tenant_opens_nothing(
    console: Console, organization: Fields, record: Record
) -> None:
    other = await console.make("organizations", name="Other")
    for number in range(4):
        await record(f"req_{number}", other["id"])
    theirs = (await console.mine(await console.key(other), "usage?limit=2")).json()["next_cursor"]
    mine = await console.mine(await console.key(organization), f"usage?cursor={theirs}")
    assert mine.json() == {"data": [], "next_cursor": None}
