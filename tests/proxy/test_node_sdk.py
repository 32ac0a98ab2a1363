"""OpenAI's SDK for Node works unchanged against the proxy: all methods of each family, and the books agree."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.books import agreed
from tests.collecting import collect
from tests.system import System, Tenant

FOLDER = Path(__file__).resolve().parents[1] / "node"
FAMILIES = sorted(path.stem for path in (FOLDER / "families").glob("*.mjs"))
NO_TOKENS = {"containers", "files", "models", "moderations", "uploads", "vectorStores", "videos"}
UNTOLD = {"audio": "/v1/audio/translations", "evals": "/v1/evals/{eval}/runs"}
"""Where the provider does not say what was used: of translations never, of a run not once it is deleted."""

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None,
    reason="node and npm are not installed, and the SDK for Node needs them",
)


@dataclass
class Driven:
    """`told` is the line that the program printed, by family."""

    tenants: dict[str, Tenant]
    told: dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def packages() -> None:
    """The packages of the lock file, installed once for each state of it."""
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / "node_modules" / ".installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    installed = run("npm", "ci", "--loglevel=error", environ=os.environ)
    assert installed.returncode == 0, installed.stderr
    stamp.write_text(wanted)


@pytest.fixture(scope="session")
def driven(house: System, packages: None) -> Driven:
    """All families, by one program, each with a key of its own."""
    tenants = asyncio.run(new_tenants(house))
    callers = {family: {"key": tenant.key, "id": f"node-{family}"} for family, tenant in tenants.items()}
    environ = {
        "PATH": os.environ["PATH"],
        "OPENAI_BASE_URL": f"{house.proxy_url}/v1",
        "CALLERS": json.dumps(callers),
    }
    ended = run("node", "run.mjs", environ=environ)
    assert ended.stderr == ""
    asyncio.run(collect(house))  # what has ended since, such as batches
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    return Driven(tenants, {line["family"]: line for line in told})


def run(*command: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, cwd=FOLDER, env=environ, capture_output=True, text=True, timeout=100
    )


async def new_tenants(house: System) -> dict[str, Tenant]:
    return {family: await house.tenant() for family in FAMILIES}


@pytest.mark.parametrize("family", FAMILIES)
async def test_every_method_of_a_family_works_and_the_books_agree(
    house: System, driven: Driven, family: str
) -> None:
    assert "failed" not in driven.told[family], driven.told[family]["failed"]
    tenant = driven.tenants[family]
    used = await agreed(house, tenant, f"node-{family}")
    assert (sum(used.values()) > 0) is (family not in NO_TOKENS)
    query = """
        select endpoint, usage_source, outcome from usage
        where organization_id = $1 and (usage_source, outcome) != ('provider', 'completed')
    """
    untold = await house.fetch(query, tenant.organization_id)
    assert {row["endpoint"] for row in untold} <= {UNTOLD.get(family)}, untold
