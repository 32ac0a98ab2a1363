from console.operations import OPERATIONS
from tests.console.running import Console, Fields, refused


async def test_an_unknown_path_is_answered_in_json(console: Console) -> None:
    for path in (
        "/",
        "/api",
        "/api/admin",
        "/api/admin/organizations/",
        "/api/admin/nothing",
        "/v1/models",
        "/..%2f",
    ):
        refused(await console.admin.get(path), 404)


async def test_a_wrong_method_is_told_the_right_ones(console: Console) -> None:
    answer = await console.admin.put("/api/admin/plans", json={})
    refused(answer, 405)
    assert answer.headers["allow"] == "GET, POST"
    refused(await console.admin.request("PROPFIND", "/api/admin/plans"), 405)
    refused(await console.admin.post("/healthz"), 405)


async def test_every_answer_has_an_id_of_its_own_and_is_never_cached(console: Console) -> None:
    first, second = await console.admin.get("/api/admin/plans"), await console.nobody.get("/api/admin/plans")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["cache-control"] == second.headers["cache-control"] == "no-store"


async def test_head_answers_as_get_without_the_body(console: Console, organization: Fields) -> None:
    path = f"/api/admin/organizations/{organization['id']}"
    answer = await console.admin.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == (await console.admin.get(path)).headers["content-length"]


async def test_figures_name_paths_and_never_ids(console: Console, organization: Fields) -> None:
    await console.admin.get(f"/api/admin/organizations/{organization['id']}")
    await console.admin.request("PROPFIND", "/api/admin/plans")
    text = (await console.nobody.get("/metrics")).text
    line = 'tollkeeper_console_requests_total{method="GET",path="/api/admin/organizations/{id}",status="200"} 1.0'
    assert line in text
    assert organization["id"] not in text
    assert "PROPFIND" not in text


def test_no_path_and_method_is_listed_twice() -> None:
    listed = [(operation.method, operation.path) for operation in OPERATIONS]
    assert len(set(listed)) == len(listed)
