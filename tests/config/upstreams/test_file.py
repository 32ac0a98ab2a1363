from pathlib import Path

import pytest
import yaml

import config
from config.settings import SettingsError, load_settings
from config.upstreams.file import UpstreamsFileError, read_upstreams

EXAMPLE = Path(config.__file__).parent / "upstreams" / "example.yaml"
KEYS = {"OPENAI_API_KEY": "sk-hunter2", "AZURE_OPENAI_API_KEY": "hunter2", "KEY": "sk-hunter2"}
A = "upstreams:\n  - name: a\n    base_url: http://a\n"


def test_the_example_can_be_used_and_shows_no_key() -> None:
    listed = read_upstreams(EXAMPLE, KEYS)
    assert [entry.name for entry in listed.upstreams] == ["openai", "azure-sweden", "local"]
    key = listed.upstreams[0].api_key
    assert key is not None
    assert key.get_secret_value() == "sk-hunter2"
    assert "hunter2" not in repr(listed)


def test_values_that_the_example_calls_defaults_are() -> None:
    content = yaml.safe_load(EXAMPLE.read_text())
    shown = read_upstreams(EXAMPLE, KEYS)
    entry = content["upstreams"][0]
    for name in ("timeouts", "max_connections", "priority"):
        del entry[name]
    del content["retries"], content["breaker"]
    bare = type(shown).model_validate(content, context=KEYS)
    assert bare == shown


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("# nothing\n", 1, "upstreams: field required"),
        ("- a\n", 1, "must be keys with values"),
        ("upstreams: []\n", 1, "upstreams: "),
        (A + "    wieght: 3\n", 4, "upstreams.1.wieght: there is no such key"),
        (A + "    api_key: sk-hunter2\n", 4, "upstreams.1.api_key: there is no such key"),
        (A + "    api_key_env: OTHER\n", 4, "the environment variable OTHER is not set"),
        (A + "    api_key_env: sk-hunter2\n", 4, "must be the name of an environment variable"),
        (A + "    timeouts:\n      connect: 0\n", 5, "upstreams.1.timeouts.connect: "),
        (
            A + "    headers:\n      Authorization: Bearer hunter2\n",
            4,
            "the header Authorization can't be set",
        ),
        (A + '    headers:\n      X-A: "a\\nb"\n', 4, "the header X-A holds"),
        (A + "    kind: azure\n", 2, "api_key_env: an upstream of kind azure needs one"),
        (A + "    api_version: v1\n", 2, "only an upstream of kind azure"),
        (A + "    weight: 0\n", 4, "upstreams.1.weight: "),
        (A + "    name: b\n", 4, "name is given twice"),
        (A + A.partition("\n")[2], 1, "the name a is given twice"),
        ("upstreams:\n  - name: a\n", 2, "base_url: an upstream of kind compatible needs one"),
        (
            A.replace("http://a", "http://a/openai/v1") + "    kind: azure\n    api_key_env: KEY\n",
            2,
            "without /openai",
        ),
        (A + "retries: {attempts: 99}\n", 4, "retries.attempts: "),
        ("upstreams:\n  - name: a\n  base_url\n", 3, "could not find expected ':'"),
        ("upstreams: &all\n  - *all\n", 1, "upstreams.1: must be keys with values"),
        ("? [1]\n: 2\n", 1, "unhashable key"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_no_secret(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    file = tmp_path / "upstreams.yaml"
    file.write_text(text)
    with pytest.raises(UpstreamsFileError) as caught:
        read_upstreams(file, KEYS)
    message = str(caught.value)
    assert message.startswith(f"{file}:{line}: ")
    assert words in message
    assert "\n" not in message
    assert "hunter2" not in message


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"\0"])
def test_a_file_that_cannot_be_read_stops_the_start_in_one_line(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "upstreams.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"^UPSTREAMS_FILE: {file}: "):
        load_settings({"UPSTREAMS_FILE": str(file)})


def test_a_key_may_stand_in_the_dotenv_file(tmp_path: Path) -> None:
    (tmp_path / "upstreams.yaml").write_text(A + "    api_key_env: KEY_OF_A\n")
    (tmp_path / ".env").write_text("KEY_OF_A=sk-a\n")
    settings = load_settings({"UPSTREAMS_FILE": str(tmp_path / "upstreams.yaml")}, tmp_path / ".env")
    key = settings.upstream.all.upstreams[0].api_key
    assert key is not None
    assert key.get_secret_value() == "sk-a"


def test_without_a_file_there_is_one_upstream_named_by_its_host() -> None:
    settings = load_settings({"OPENAI_API_KEY": "sk-a", "TOLLKEEPER_UPSTREAM_CONNECT_TIMEOUT_SECONDS": "2"})
    [entry] = settings.upstream.all.upstreams
    assert (entry.name, entry.base_url) == ("api.openai.com", "https://api.openai.com/v1")
    assert entry.timeouts.connect == 2.0
    assert "sk-a" not in repr(settings)
