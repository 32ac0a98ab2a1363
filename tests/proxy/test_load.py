"""The load test of loadtests/ runs against a proxy, and each of its calls leaves one record."""

import asyncio
import csv
import os
import sys
from pathlib import Path

from tests.system import System

ROOT = Path(__file__).parents[2]
METERED = {
    "call": "/v1/chat/completions",
    "stream": "/v1/chat/completions",
    "embeddings": "/v1/embeddings",
    "responses": "/v1/responses",
}


async def locust(url: str, figures: Path, *options: str, **variables: str) -> tuple[int, str]:
    """Exit code and output of a run without a page."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py"), "--headless"),
        *("--host", url, "--csv", str(figures), *options),
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    except BaseException:
        process.kill()
        raise
    return process.returncode or 0, output.decode()


def counted(figures: Path) -> dict[str, dict[str, int]]:
    """Requests and failures by name."""
    with Path(f"{figures}_stats.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {row["Name"]: {key: int(row[f"{key} Count"]) for key in ("Request", "Failure")} for row in rows}


async def test_mixed_traffic_fails_nowhere_and_is_recorded_call_by_call(
    house: System, tmp_path: Path
) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    stormed = await house.tenant(unpriced_models="allow", limits={"requests_per_minute": 40})
    keys = {"LOAD_KEY": tenant.key, "LOAD_STORM_KEY": stormed.key}
    options = ("-u", "40", "-r", "40", "-t", "12s", "--max-p95", "20000")
    code, output = await locust(house.proxy_url, tmp_path / "load", *options, **keys)
    assert code == 0, output[-3000:]
    seen = counted(tmp_path / "load")
    assert {name for name, each in seen.items() if each["Failure"]} == set()
    wrong = {"wrong: key", "wrong: body", "wrong: path"}
    files = {"file: upload", "file: read", "file: delete"}
    assert set(seen) == {*METERED, *wrong, *files, "storm", "Aggregated"}
    await house.quiet()
    for endpoint in set(METERED.values()):
        query = "select count(*) as n from usage where organization_id = $1 and endpoint = $2"
        (row,) = await house.fetch(query, tenant.organization_id, endpoint)
        told = sum(seen[name]["Request"] for name, each in METERED.items() if each == endpoint)
        # Calls under way when locust stops are recorded here and not counted there.
        assert 0 < told <= row["n"] <= told + 40, endpoint
    (row,) = await house.fetch(
        "select count(*) as n from usage where organization_id = $1 and status = 200", stormed.organization_id
    )
    assert row["n"] == 40  # of a storm of at least twice as many
    assert seen["storm"]["Request"] > 80


async def test_a_run_that_did_not_go_well_says_so(house: System, tmp_path: Path) -> None:
    options = ("-u", "2", "-r", "2", "-t", "2s")
    code, output = await locust(house.proxy_url, tmp_path / "load", *options, LOAD_KEY="sk-tk-nobody")
    assert code == 1
    assert "of all calls failed" in output
