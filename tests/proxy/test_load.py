"""The load test of loadtests/ runs against a proxy, and each of its calls leaves one record."""

import asyncio
import csv
import os
import sys
from pathlib import Path

from tests.system import System

ROOT = Path(__file__).parents[2]


async def test_mixed_traffic_fails_nowhere_and_is_recorded_call_by_call(
    house: System, tmp_path: Path
) -> None:
    tenant = await house.tenant(unpriced_models="allow")
    figures = tmp_path / "load"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py"), "--headless"),
        *("--host", house.proxy_url, "-u", "10", "-r", "10", "-t", "5s", "--csv", str(figures)),
        env={**os.environ, "LOAD_KEY": tenant.key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()[-3000:]
    with Path(f"{figures}_stats.csv").open() as file:
        total = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    assert int(total["Failure Count"]) == 0
    await house.quiet()
    rows = await house.fetch("select * from usage where organization_id = $1", tenant.organization_id)
    # Calls under way when locust stops are recorded here and not counted there.
    assert 0 < int(total["Request Count"]) <= len(rows) <= int(total["Request Count"]) + 10
