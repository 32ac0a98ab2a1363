"""The README's commands, as printed, against a running `up`; and the official SDK."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import orjson
from openai import AsyncOpenAI, OpenAI

from config.settings import NAMES
from tests.runtime.running_up import Up

README = Path(__file__).parent.parent.parent / "README.md"
PROXY, CONSOLE = "http://127.0.0.1:8000", "http://127.0.0.1:8001"


def block(beginning: str) -> str:
    """The indented block of the README that begins with these words."""
    found = re.search(rf"(?m)^    {re.escape(beginning)}.*(?:\n(?:    .*|))*", README.read_text("utf-8"))
    assert found is not None, f"the README has no block that begins with {beginning!r}"
    return textwrap.dedent(found[0]).strip()


def as_run(up: Up, text: str) -> str:
    """The README speaks of the default ports and folder; the tests have ports and a folder of their own."""
    for printed, real in ((PROXY, up.proxy), (CONSOLE, up.console), (".tollkeeper", str(up.data_dir))):
        text = text.replace(printed, real)
    return text


def shell(text: str) -> str:
    done = subprocess.run(["bash", "-euc", text], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_the_first_call_works_as_printed(up: Up) -> None:
    answer = orjson.loads(shell(as_run(up, block(f"curl {PROXY}"))))
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"]


def test_the_five_lines_of_python_work_as_printed(up: Up) -> None:
    code = block("from openai import OpenAI")
    assert len(code.splitlines()) == 5
    done = subprocess.run(
        [sys.executable, "-c", as_run(up, code)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "CompletionUsage" in done.stdout


def test_usage_and_quota_are_shown_as_printed(up: Up) -> None:
    usage, quota = (as_run(up, line) for line in block(f"curl {CONSOLE}/api/me/usage").splitlines())
    assert "data" in orjson.loads(shell(usage))
    assert {limit["name"] for limit in orjson.loads(shell(quota))["data"]} >= {"tokens_per_month"}


def test_an_organization_of_ones_own_is_made_as_printed(up: Up) -> None:
    printed = block('admin="Authorization')
    lines = shell(as_run(up, printed)).split("}{")
    key = orjson.loads("{" + lines[-1])["key"]
    client = OpenAI(base_url=f"{up.proxy}/v1", api_key=key)
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
    )
    assert answer.choices[0].message.content
    client.close()


def test_the_official_sdk_streams_through_up(up: Up) -> None:
    with OpenAI(base_url=f"{up.proxy}/v1", api_key=up.key) as client:
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)


async def test_the_official_async_sdk_works_through_up(up: Up) -> None:
    async with AsyncOpenAI(base_url=f"{up.proxy}/v1", api_key=up.key) as client:
        response = await client.responses.create(model="gpt-4o-mini", input="Hello")
        vector = await client.embeddings.create(model="text-embedding-3-small", input="Hello")
    assert response.output_text
    assert response.usage is not None
    assert vector.data[0].embedding


def test_every_setting_that_the_readme_names_exists() -> None:
    named = set(
        re.findall(
            r"TOLLKEEPER_[A-Z_]*[A-Z]|DATABASE_URL|REDIS_URL|OPENAI_[A-Z_]+", README.read_text("utf-8")
        )
    )
    assert named <= set(NAMES)
