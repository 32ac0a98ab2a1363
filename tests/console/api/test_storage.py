from datetime import UTC, datetime

from ledger import project_storage
from ledger.database import Pool, transaction
from ledger.storage import Stored, Teller, store
from tests.console.running import UNKNOWN, Console, Fields, refused

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)


async def test_storage_is_shown_by_project(console: Console, pool: Pool, organization: Fields) -> None:
    async with transaction(pool) as connection:
        for project, size in (("proj_1", 10), (None, 20)):
            teller = Teller(organization["id"], project, "openai", "req_1", AT, 1)
            await store(connection, teller, [Stored(f"file-{size}", "file", size)])
        await project_storage.count(connection, AT, timeout=5)
    rows = [
        {"project_id": None, "bytes": 20, "objects": 1, "counted_at": "2026-11-21T04:00:00Z"},
        {"project_id": "proj_1", "bytes": 10, "objects": 1, "counted_at": "2026-11-21T04:00:00Z"},
    ]
    path = f"/api/admin/organizations/{organization['id']}/storage"
    assert (await console.admin.get(path)).json()["data"] == rows
    assert (await console.mine(await console.key(organization), "storage")).json()["data"] == rows
    other = await console.make("organizations", name="Bureau")
    assert (await console.mine(await console.key(other), "storage")).json()["data"] == []
    refused(await console.admin.get(f"/api/admin/organizations/{UNKNOWN}/storage"), 404)
