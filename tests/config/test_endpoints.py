"""Which endpoints an operator may let pass, and what a pattern covers."""

import pytest

from config.endpoints import read_allowed
from config.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    ("pattern", "covered", "others"),
    [
        (
            "GET /v1/skills",
            ["GET /v1/skills", "HEAD /v1/skills"],
            ["POST /v1/skills", "GET /v1/skills/a", "GET /v1/skillsx"],
        ),
        (
            "GET /v1/skills*",
            ["GET /v1/skills", "GET /v1/skills/a/b", "GET /v1/skillset"],
            ["GET /v1/skill", "POST /v1/skills"],
        ),
        (
            "POST /v1/skills/*/versions",
            ["POST /v1/skills/a/versions"],
            ["POST /v1/skills/a/b/versions", "POST /v1/skills//versions"],
        ),
        (
            "* /v1/skills/*",
            ["DELETE /v1/skills/a", "PATCH /v1/skills/a/b"],
            ["GET /v1/skills", "TRACE /v1/skills/a", "OPTIONS /v1/skills/a"],
        ),
        ("POST /v1/a.b", ["POST /v1/a.b"], ["POST /v1/axb"]),
        ("* /v1/*", ["GET /v1/skills", "POST /v1/a/b/c"], ["GET /v2/skills", "GET /v1"]),
    ],
)
def test_a_pattern_covers_what_it_says(pattern: str, covered: list[str], others: list[str]) -> None:
    allowed = read_allowed(pattern)
    assert [call for call in covered + others if allowed.covers(*call.split(" "))] == covered


@pytest.mark.parametrize(
    "path",
    [
        "/v1/organization/admin_api_keys",
        "/v1/organization/audit_logs",
        "/v1/Organization/users",
        "/v1/organization",
        "/v1/projects/proj_1/roles",
        "/v1/webhook_endpoints",
        "/v1/safety/cases/1",
        "/v1/dashboard/billing/usage",
        "/v1/fine_tuning/checkpoints/ft:1/permissions",
    ],
)
def test_the_account_itself_is_never_covered(path: str) -> None:
    assert not read_allowed("* /v1/*").covers("GET", path)
    with pytest.raises(ValueError, match="never passes"):
        read_allowed(f"GET {path}")
    with pytest.raises(ValueError, match="never passes"):
        read_allowed(f"GET {path}*")


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("/v1/skills", "'/v1/skills'"),
        ("FETCH /v1/skills", "'FETCH /v1/skills'"),
        ("get /v1/skills", "'get /v1/skills'"),
        ("GET skills", "'GET skills'"),
        ("GET /v2/skills", "'GET /v2/skills'"),
        ("GET /v1", "'GET /v1'"),
        ("GET /v1/", "'GET /v1/'"),
        ("GET /v1/a//b", "'GET /v1/a//b'"),
        ("GET /v1/a/../b", "'GET /v1/a/../b'"),
        ("GET /v1/a*/b", "'GET /v1/a*/b'"),
        ("GET /v1/a**", "'GET /v1/a**'"),
        ("GET /v1/a%2Fb", "'GET /v1/a%2Fb'"),
        ("POST /v1/skills, POST /v1/organization/*", "'POST /v1/organization/*'"),
        ("POST /v1/organization*", "'POST /v1/organization*'"),
    ],
)
def test_a_bad_pattern_stops_the_start_and_is_named(value: str, named: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({"TOLLKEEPER_ALLOW_ENDPOINTS": value})
    assert str(error.value).startswith(f"TOLLKEEPER_ALLOW_ENDPOINTS: {named}: ")


def test_several_are_parted_by_commas() -> None:
    assert load_settings({}).door.allowed == ()
    allowed = load_settings({"TOLLKEEPER_ALLOW_ENDPOINTS": "POST /v1/skills, GET /v1/skills*"}).door.allowed
    assert [f"{each.method} {each.path}" for each in allowed] == ["POST /v1/skills", "GET /v1/skills*"]
