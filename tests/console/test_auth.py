import httpx
import pytest

from console.auth import Door
from console.operations import OPERATIONS
from tests.console.running import ADMIN_TOKEN, Console, Fields, refused


def url(path: str) -> str:
    return path.replace("{id}", "x")


async def test_every_operation_refuses_whoever_brings_no_token(console: Console) -> None:
    for operation in OPERATIONS:
        answer = await console.nobody.request(operation.method, url(operation.path), content=b"{broken")
        refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_every_admin_operation_refuses_an_api_key(console: Console, organization: Fields) -> None:
    key = await console.key(organization)
    headers = {"authorization": f"Bearer {key['key']}"}
    for operation in OPERATIONS:
        if operation.access == "admin":
            refused(await console.nobody.request(operation.method, url(operation.path), headers=headers), 401)


async def test_the_admin_token_is_no_api_key(console: Console) -> None:
    for operation in OPERATIONS:
        if operation.access == "key":
            refused(await console.admin.request(operation.method, url(operation.path)), 401)


NOT_THE_TOKEN: list[str | bytes] = [
    "Bearer",
    f"Basic {ADMIN_TOKEN}",
    ADMIN_TOKEN,
    f"Bearer {ADMIN_TOKEN}x",
    f"Bearer {ADMIN_TOKEN[:-1]}",
    f"Bearer {ADMIN_TOKEN.upper()}",
    "Bearer " + "x" * 10_000,
    b"Bearer \xff\xfe\x80",
]


async def test_what_is_not_the_token_opens_nothing(console: Console) -> None:
    for header in NOT_THE_TOKEN:
        headers = httpx.Headers(
            [(b"authorization", header if isinstance(header, bytes) else header.encode())]
        )
        for path in ("/api/admin/plans", "/api/me/usage"):
            refused(await console.nobody.get(path, headers=headers), 401)


async def test_a_refusal_repeats_no_token(console: Console) -> None:
    answer = await console.nobody.get("/api/me/usage", headers={"authorization": "Bearer sk-tk-secret-thing"})
    assert "secret-thing" not in answer.text


async def test_without_a_configured_token_nobody_is_administrator() -> None:
    from starlette.datastructures import Headers

    from proxy.errors import Refusal

    for token in ("", "None"):
        with pytest.raises(Refusal) as caught:
            await Door(None).enter("admin", Headers({"authorization": f"Bearer {token}"}), None)  # type: ignore[arg-type]
        assert caught.value.status == 401
