import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import httpx

from tests.runtime.running_up import arguments, descendants, environ, running, start, wait_gone, wait_serving


def call(proxy: str, key: str) -> httpx.Response:
    return httpx.post(
        f"{proxy}/v1/chat/completions",
        headers={"authorization": f"Bearer {key}"},
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]},
        timeout=30,
    )


def test_up_answers_calls_ends_with_0_and_keeps_its_data(tmp_path: Path) -> None:
    data_dir, log = tmp_path / "data", tmp_path / "log"
    with running(data_dir, log) as first:
        answer = call(first.proxy, first.key)
        assert answer.status_code == 200, answer.text
        request_id = answer.headers["x-request-id"]
        children = descendants(first.process.pid)
        assert len(children) >= 7
        assert first.stop() == (0, "")
        wait_gone(children, 1)
    with running(data_dir, log) as second:
        assert (second.key, second.admin) == (first.key, first.admin)
        rows = httpx.get(
            f"{second.console}/api/admin/usage",
            headers={"authorization": f"Bearer {second.admin}"},
            timeout=30,
        ).json()["data"]
        assert [row["request_id"] for row in rows] == [request_id]
        assert second.stop(signal.SIGINT) == (0, "")


def test_nothing_survives_a_kill_of_up_and_the_next_start_recovers(tmp_path: Path) -> None:
    data_dir, log = tmp_path / "data", tmp_path / "log"
    with running(data_dir, log) as first:
        assert call(first.proxy, first.key).status_code == 200
        children = descendants(first.process.pid)
        first.process.kill()
        first.process.wait()
        with running(data_dir, tmp_path / "log2") as second:
            assert second.key == first.key
            assert call(second.proxy, second.key).status_code == 200
        wait_gone(children)


def test_every_child_may_be_killed_and_comes_back(tmp_path: Path) -> None:
    with running(tmp_path / "data", tmp_path / "log") as up:
        before = descendants(up.process.pid)
        for pid in before:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        wait_gone(before)
        wait_serving(up.proxy)
        wait_serving(up.console)
        assert up.stop() == (0, "")


def test_several_workers_share_the_port(tmp_path: Path) -> None:
    with running(tmp_path / "data", tmp_path / "log", TOLLKEEPER_WORKERS="3") as up:
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in descendants(up.process.pid)]
        assert len([command for command in commands if "tollkeeper\0proxy" in command]) == 3
        assert call(up.proxy, up.key).status_code == 200


def test_a_stop_during_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    process = start(tmp_path / "data", tmp_path / "log")
    while not (children := descendants(process.pid)):
        assert process.poll() is None
    process.terminate()
    assert process.communicate(timeout=60)[0] == ""
    assert process.returncode == 0
    wait_gone(children, 1)
    with running(tmp_path / "data", tmp_path / "log") as up:
        assert call(up.proxy, up.key).status_code == 200


def refused(data_dir: Path, **settings: str) -> tuple[int, str]:
    result = subprocess.run(
        arguments("up"),
        env=environ(data_dir, **settings),
        cwd=data_dir.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not result.stdout
    return result.returncode, result.stderr


def test_a_busy_port_is_named_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        code, said = refused(tmp_path / "data", TOLLKEEPER_PROXY_PORT=port)
    assert code == 1
    assert said == f"tollkeeper: port {port} on 127.0.0.1 is busy; choose another with --proxy-port\n"


def test_an_unknown_setting_is_named_in_one_line_with_exit_code_2(tmp_path: Path) -> None:
    code, said = refused(tmp_path / "data", TOLLKEEPER_WORKER="2")
    assert code == 2
    assert (
        said == "tollkeeper: TOLLKEEPER_WORKER: there is no such setting; did you mean TOLLKEEPER_WORKERS?\n"
    )
    assert not (tmp_path / "data").exists()


def test_a_second_up_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with running(tmp_path / "data", tmp_path / "log") as up:
        code, said = refused(up.data_dir)
        assert code == 1
        assert said.startswith(f"tollkeeper: {up.data_dir} is in use by another tollkeeper")
        assert said.count("\n") == 1
        assert call(up.proxy, up.key).status_code == 200


def test_logs_are_json_lines_that_hold_no_key(tmp_path: Path) -> None:
    with running(tmp_path / "data", tmp_path / "log") as up:
        call(up.proxy, up.key)
        call(up.proxy, "sk-tk-not-a-key-of-ours")
        up.stop()
    text = up.log.read_text()
    assert all(json.loads(line)["program"] for line in text.splitlines())
    for secret in (up.key, up.admin, "not-a-key-of-ours"):
        assert secret not in text


def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    with running(tmp_path / "data", tmp_path / "log") as up:
        modes = {path.name: path.stat().st_mode & 0o777 for path in (up.data_dir / "secrets").iterdir()}
    assert modes == dict.fromkeys(("admin-token", "demo-key", "key-secret", "running"), 0o600)


async def test_the_users_own_stores_are_used_and_nothing_is_embedded(
    tmp_path: Path, empty_database_url: str, redis_url: str
) -> None:
    with running(
        tmp_path / "data", tmp_path / "log", DATABASE_URL=empty_database_url, REDIS_URL=redis_url
    ) as up:
        assert call(up.proxy, up.key).status_code == 200
        assert {path.name for path in up.data_dir.iterdir()} == {"secrets", "spool", "up.lock"}
