import pytest

from tests.console.running import UNKNOWN, Console, Fields, Record, refused

SPAN = "from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z"
MEDIA = {
    "json": "application/json",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@pytest.mark.parametrize("form", MEDIA)
async def test_a_report_comes_in_every_format(
    console: Console, organization: Fields, record: Record, form: str
) -> None:
    await record("req_1", organization["id"])
    answer = await console.admin.get(f"/api/reports?template=usage&{SPAN}&format={form}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA[form]
    assert f'filename="usage-20261101.{form}"' in answer.headers["content-disposition"]
    assert len(answer.content) > 50


async def test_a_customer_sees_its_own_and_no_revenue(
    console: Console, organization: Fields, record: Record
) -> None:
    other = await console.make("organizations", name="Bureau")
    await record("req_1", organization["id"])
    await record("req_2", other["id"])
    whole = (await console.admin.get(f"/api/reports?template=usage&{SPAN}")).json()
    assert whole["totals"]["requests"] == 2
    one = f"/api/reports?template=usage&{SPAN}&organization={other['id']}"
    assert (await console.admin.get(one)).json()["organization"] == "Bureau"
    key = await console.key(organization)
    mine = (await console.mine(key, f"reports?template=usage&{SPAN}")).json()
    assert (mine["organization"], mine["totals"]["requests"]) == ("Atelier", 1)
    refused(await console.mine(key, "reports?template=revenue"), 403, "template")
    refused(
        await console.mine(key, f"reports?template=usage&organization={other['id']}"), 400, "organization"
    )


async def test_bad_queries_are_refused_by_name(console: Console) -> None:
    for query, name in (
        ("", "template"),
        ("template=secrets", "template"),
        ("template=usage&format=doc", "format"),
        ("template=usage&from=yesterday", "from"),
        ("template=usage&from=2026-11-02T00:00:00Z&to=2026-11-02T00:00:00Z", "to"),
    ):
        refused(await console.admin.get(f"/api/reports?{query}"), 400, name)
    refused(await console.admin.get(f"/api/reports?template=usage&organization={UNKNOWN}"), 404)


async def test_reports_are_scheduled_listed_and_ended(console: Console, organization: Fields) -> None:
    body = {
        "organization_id": organization["id"],
        "template": "cost_trend",
        "cadence": "weekly",
        "format": "xlsx",
        "language": "fr",
        "filters": {"model": "gpt-4o"},
        "recipients": ["boss@atelier.example"],
    }
    answer = await console.admin.post("/api/reports/schedules", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert {name: made[name] for name in body if name != "filters"} == {
        name: value for name, value in body.items() if name != "filters"
    }
    assert await console.all_pages("/api/reports/schedules", 1) == [made]
    audit = (await console.admin.get(f"/api/admin/audit?object={made['id']}")).json()["data"]
    assert [entry["action"] for entry in audit] == ["report_schedule.create"]
    ended = await console.admin.delete(f"/api/reports/schedules/{made['id']}")
    assert ended.json() == made
    assert await console.all_pages("/api/reports/schedules", 1) == []
    refused(await console.admin.delete(f"/api/reports/schedules/{made['id']}"), 404)


async def test_bad_schedules_are_refused_by_name(console: Console, organization: Fields) -> None:
    good = {"template": "usage", "cadence": "daily"}
    for change, name in (
        ({"cadence": "yearly"}, "cadence"),
        ({"recipients": ["nobody"]}, "recipients.0"),
        ({"recipients": []}, "recipients"),
        ({"filters": {"colour": "red"}}, "filters.colour"),
    ):
        refused(await console.admin.post("/api/reports/schedules", json={**good, **change}), 400, name)
    body = {**good, "organization_id": UNKNOWN}
    refused(await console.admin.post("/api/reports/schedules", json=body), 404)
    body = {**good, "template": "revenue", "organization_id": organization["id"]}
    answer = await console.admin.post("/api/reports/schedules", json=body)
    assert answer.status_code == 400
