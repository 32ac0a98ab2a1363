from tests.console.running import UNKNOWN, Console, Fields, refused

PATH = "/api/admin/organizations"


async def test_a_new_one_comes_back_with_its_id_and_can_be_read(console: Console) -> None:
    made = await console.make(
        "organizations", name="  Atelier  ", siret="73282932000074", email="a@b.fr", time_zone="Europe/Paris"
    )
    assert made["id"].startswith("org_")
    assert made["name"] == "Atelier"
    assert made["created_at"].endswith("Z")
    read = await console.admin.get(f"{PATH}/{made['id']}")
    assert (read.status_code, read.json()) == (200, made)


async def test_a_change_leaves_the_rest(console: Console) -> None:
    made = await console.make("organizations", name="Atelier", email="a@b.fr")
    changed = await console.admin.patch(f"{PATH}/{made['id']}", json={"name": "Studio", "active": False})
    assert changed.status_code == 200
    assert changed.json() == {
        **made,
        "name": "Studio",
        "active": False,
        "updated_at": changed.json()["updated_at"],
    }
    assert (await console.admin.patch(f"{PATH}/{made['id']}", json={"email": None})).json()["email"] is None
    same = await console.admin.patch(f"{PATH}/{made['id']}", json={})
    assert same.json()["name"] == "Studio"


BAD: list[tuple[Fields, str]] = [
    ({}, "name"),
    ({"name": "x", "plan": "Pro"}, "plan"),
    ({"name": ""}, "name"),
    ({"name": "   "}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "a\0b"}, "name"),
    ({"name": 7}, "name"),
    ({"name": None}, "name"),
    ({"name": "x", "siret": "123"}, "siret"),
    ({"name": "x", "siret": "7328293200007\u0664"}, "siret"),
    ({"name": "x", "email": "nobody"}, "email"),
    ({"name": "x", "email": "a@b\0.fr"}, "email"),
    ({"name": "x", "time_zone": "Mars/Olympus"}, "time_zone"),
    ({"name": "x", "time_zone": "../../etc/passwd"}, "time_zone"),
    ({"name": "x", "time_zone": "UTC\0"}, "time_zone"),
    ({"name": "x", "active": "yes"}, "active"),
    ({"name": "x", "id": "org_1"}, "id"),
]


async def test_bad_fields_are_refused_by_name(console: Console) -> None:
    for body, param in BAD:
        refused(await console.admin.post(PATH, json=body), 400, param)
    assert (await console.admin.get(PATH)).json()["data"] == []


async def test_a_change_is_checked_as_strictly(console: Console, organization: Fields) -> None:
    path = f"{PATH}/{organization['id']}"
    refused(await console.admin.patch(path, json={"name": None}), 400, "name")
    refused(await console.admin.patch(path, json={"created_at": "2026-01-01T00:00:00Z"}), 400, "created_at")
    refused(await console.admin.patch(path, json={"time_zone": "Paris"}), 400, "time_zone")
    assert (await console.admin.get(path)).json() == organization


STRANGERS = [UNKNOWN, "x", "%00", "%F0%9F%92%A9", "a" * 500]


async def test_an_unknown_one_is_not_found(console: Console) -> None:
    for identifier in STRANGERS:
        refused(await console.admin.get(f"{PATH}/{identifier}"), 404)
        refused(await console.admin.patch(f"{PATH}/{identifier}", json={"name": "x"}), 404)


async def test_the_list_is_paged_without_loss_or_repetition(console: Console) -> None:
    made = [await console.make("organizations", name=f"number {n}") for n in range(7)]
    assert await console.all_pages(PATH, 3) == made
    assert await console.all_pages(PATH, 7) == made


async def test_a_key_sees_its_own_organization(console: Console, organization: Fields) -> None:
    await console.make("organizations", name="Other")
    key = await console.key(organization)
    assert (await console.mine(key, "organization")).json() == organization
