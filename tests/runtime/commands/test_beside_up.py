"""The commands that are used beside a running `up`."""

import subprocess
from pathlib import Path

import httpx
import pytest

from runtime.commands.line import COMMANDS
from tests.keycloak import AUDIENCE, Keycloak
from tests.runtime.running_up import Up, arguments, environ


def run(data_dir: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments(*words),
        env=environ(data_dir) | {"COLUMNS": "300"} | settings,
        cwd=data_dir.parent,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def organization(up: Up) -> str:
    headers = {"authorization": f"Bearer {up.key}"}
    found: str = httpx.get(f"{up.console}/api/me/organization", headers=headers, timeout=30).json()["id"]
    return found


def test_the_demo_shows_a_call_a_stream_a_refusal_and_their_records(up: Up) -> None:
    result = run(up.data_dir, "demo")
    assert result.returncode == 0, result.stderr
    for line in ("done a call: ", "done a stream: ", "done a refusal at the limit: 429 rate_limit_exceeded"):
        assert line in result.stdout
    table = result.stdout.partition("usage records")[2]
    assert table.count("provider") == 2


def test_a_key_made_by_hand_is_printed_once_and_works(up: Up) -> None:
    result = run(up.data_dir, "keys", "create", "--organization", organization(up), "--name", "by hand")
    assert result.returncode == 0, result.stderr
    headers = {"authorization": f"Bearer {result.stdout.strip()}"}
    assert httpx.get(f"{up.proxy}/v1/models", headers=headers, timeout=30).status_code == 200


def test_a_key_for_an_unknown_organization_is_refused_in_one_line(up: Up) -> None:
    result = run(up.data_dir, "keys", "create", "--organization", "org_none", "--name", "x")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "tollkeeper: there is no organization 'org_none'\n"


def test_a_job_runs_once_as_if_it_were_another_time(up: Up) -> None:
    assert run(up.data_dir, "worker", "--once", "partitions", "--at", "2031-05-01T00:00:00Z").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--once", "none"), "there is no job 'none'"),
        (("--once", "partitions", "--at", "tomorrow"), "--at tomorrow is not a time"),
        (("--once", "partitions", "--at", "2031-05-01"), "has no time zone"),
        (("--at", "2031-05-01T00:00:00Z"), "--at goes with --once JOB"),
    ],
)
def test_a_job_that_cannot_run_is_refused_in_one_line(up: Up, words: tuple[str, ...], said: str) -> None:
    result = run(up.data_dir, "worker", *words)
    assert result.returncode == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_migrate_may_be_repeated(up: Up) -> None:
    assert run(up.data_dir, "migrate").returncode == 0


def test_the_doctor_finds_a_running_system_well(up: Up) -> None:
    result = run(up.data_dir, "doctor")
    assert result.returncode == 0, result.stdout
    assert "bad" not in result.stdout
    assert up.proxy in result.stdout


def test_the_doctor_says_what_is_missing_when_nothing_runs(tmp_path: Path) -> None:
    result = run(tmp_path / "data", "doctor")
    assert result.returncode == 0
    assert "start everything with `tollkeeper up`" in result.stdout


def test_the_doctor_fails_for_a_store_that_does_not_answer(tmp_path: Path) -> None:
    result = run(tmp_path / "data", "doctor", REDIS_URL=f"unix://{tmp_path}/none.sock")
    assert result.returncode == 1
    assert "check REDIS_URL" in result.stdout


def test_the_doctor_says_whether_access_tokens_can_be_checked(tmp_path: Path, provider: Keycloak) -> None:
    realm = provider.realm()
    for issuer, code, says in (
        (realm.issuer, 0, "signs with one key"),
        (realm.issuer.replace("127.0.0.1", "localhost"), 1, f"of another issuer: '{realm.issuer}'"),
        ("http://127.0.0.1:1/realms/a", 1, "KEYCLOAK_INTERNAL_URL"),
    ):
        result = run(tmp_path / "data", "doctor", KEYCLOAK_ISSUER=issuer, KEYCLOAK_AUDIENCE=AUDIENCE)
        assert (result.returncode, says in result.stdout) == (code, True), result.stdout


@pytest.mark.parametrize("command", ["proxy", "console", "drain", "worker", "keys", "migrate", "demo"])
def test_without_stores_a_command_says_in_one_line_what_to_do(tmp_path: Path, command: str) -> None:
    words = ["create", "--organization", "o", "--name", "n"] if command == "keys" else []
    result = run(tmp_path / "data", command, *words)
    assert (result.returncode, result.stdout) == (1, "")
    assert "tollkeeper up" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(tmp_path: Path, command: str) -> None:
    result = run(tmp_path, command, "--help")
    assert result.returncode == 0
    assert "--data-dir" in result.stdout
