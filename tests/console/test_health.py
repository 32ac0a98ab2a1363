from tests.console.running import Console, refused, serving

NOBODY_THERE = "redis://127.0.0.1:1/0"
NO_DATABASE = "postgresql://postgres@127.0.0.1:1/none"


async def test_all_is_well(console: Console) -> None:
    assert (await console.nobody.get("/healthz")).json() == {"status": "ok"}
    ready = await console.nobody.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "reasons": {}})


async def test_a_database_without_its_schema_is_not_ready(empty_database_url: str, redis_url: str) -> None:
    async with serving(empty_database_url, redis_url) as console:
        ready = await console.nobody.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["reasons"] == {"postgres": "lacks migration 0001_ledger"}


async def test_without_postgres_it_starts_says_so_and_refuses_with_503(redis_url: str) -> None:
    async with serving(NO_DATABASE, redis_url) as console:
        ready = await console.nobody.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unready")
        refused(await console.admin.get("/api/admin/plans"), 503)
        refused(await console.admin.post("/api/admin/plans", json={"name": "x"}), 503)
        key = {"authorization": "Bearer sk-tk-anything"}
        refused(await console.nobody.get("/api/me/usage", headers=key), 503)
        refused(await console.nobody.get("/api/admin/plans"), 401)


async def test_without_redis_it_serves_what_needs_none(database_url: str) -> None:
    async with serving(database_url, NOBODY_THERE) as console:
        ready = await console.nobody.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        organization = await console.make("organizations", name="Atelier")
        plan = await console.make("plans", name="Pro")
        assert (await console.subscribe(organization, plan)).status_code == 200
        key = await console.key(organization)
        refused(await console.mine(key, "quota"), 503)
        refused(await console.mine(key, "holds"), 503)
        assert (await console.mine(key, "usage")).status_code == 200
