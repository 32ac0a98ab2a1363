from pathlib import Path

import pytest

import config
from config.settings import NAMES, SettingsError, load_settings

EXAMPLE = Path(config.__file__).parent / "upstreams" / "example.yaml"


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load_settings({})
    assert settings.server.proxy_port == 8000
    assert settings.server.console_port == 8001
    assert settings.upstream.base_url == "https://api.openai.com/v1"
    assert settings.stores.database_url is None
    assert settings.data_dir.is_absolute()


@pytest.mark.parametrize(
    ("environ", "chosen"),
    [
        ({}, False),
        ({"OPENAI_API_KEY": ""}, False),
        ({"OPENAI_API_KEY": "sk-x"}, True),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, True),
        ({"UPSTREAMS_FILE": str(EXAMPLE), "AZURE_OPENAI_API_KEY": "x", "OPENAI_API_KEY": "y"}, True),
    ],
)
def test_it_is_known_whether_the_user_named_an_upstream(environ: dict[str, str], chosen: bool) -> None:
    assert load_settings(environ).upstream.chosen is chosen


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOLLKEEPER_PROXY_PORT", "http"),
        ("TOLLKEEPER_PROXY_PORT", "65536"),
        ("TOLLKEEPER_WORKERS", "0"),
        ("TOLLKEEPER_HOLD_TTL_SECONDS", "nan"),
        ("TOLLKEEPER_HOLD_TTL_SECONDS", "-1"),
        ("TOLLKEEPER_MAX_BODY_BYTES", "1.5"),
        ("TOLLKEEPER_LOG_LEVEL", "loud"),
        ("DATABASE_URL", "mysql://root:hunter2@host/db"),
        ("REDIS_URL", "http://:hunter2@host"),
        ("OPENAI_BASE_URL", "api.openai.com/v1"),
        ("OPENAI_BASE_URL", "https://user:hunter2@host:port/v1"),
        ("SMTP_URL", "mail.example.org:hunter2"),
        ("KEYCLOAK_ISSUER", "https://id.example.org/realms/a, id:hunter2"),
        ("KEYCLOAK_ISSUER", "https://id.example.org/realms/a?token=hunter2"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_names_it_without_secrets(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert "\n" not in message
    assert "hunter2" not in message


def test_issuers_and_audiences_are_lists_parted_by_commas() -> None:
    issuers = "https://id.example.org/realms/a , http://127.0.0.1:8080/realms/b/,"
    keycloak = load_settings(
        {"KEYCLOAK_ISSUER": issuers, "KEYCLOAK_AUDIENCE": "tollkeeper, another"}
    ).keycloak
    assert keycloak.issuers == ("https://id.example.org/realms/a", "http://127.0.0.1:8080/realms/b")
    assert keycloak.audiences == ("tollkeeper", "another")
    none = load_settings({}).keycloak
    assert (none.issuers, none.audiences) == ((), ())


@pytest.mark.parametrize("audience", ["", " , "])
def test_an_issuer_without_an_audience_is_refused(audience: str) -> None:
    with pytest.raises(SettingsError, match=r"^KEYCLOAK_ISSUER: needs KEYCLOAK_AUDIENCE beside it"):
        load_settings({"KEYCLOAK_ISSUER": "https://id.example.org/realms/a", "KEYCLOAK_AUDIENCE": audience})


def test_an_audience_that_every_client_of_keycloak_has_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^KEYCLOAK_AUDIENCE: 'account' stands in the tokens of every"):
        load_settings({"KEYCLOAK_AUDIENCE": "tollkeeper, account"})


def test_an_unknown_name_of_ours_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(
        SettingsError,
        match=r"^TOLLKEEPER_PROXY_PROT: there is no such setting; did you mean TOLLKEEPER_PROXY_PORT\?$",
    ):
        load_settings({"TOLLKEEPER_PROXY_PROT": "1"})


def test_names_of_others_are_ignored() -> None:
    load_settings({"PATH": "/bin", "OPENAI_ORG_ID": "org", "DATABASE_URLS": "x"})


def test_a_dotenv_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("TOLLKEEPER_PROXY_PORT=1\nTOLLKEEPER_CONSOLE_PORT=2\nOPENAI_API_KEY='a$HOME'\n")
    settings = load_settings({"TOLLKEEPER_PROXY_PORT": "3", "TOLLKEEPER_CONSOLE_PORT": ""}, file)
    assert settings.server.proxy_port == 3
    assert settings.server.console_port == 2
    assert settings.upstream.api_key is not None
    assert settings.upstream.api_key.get_secret_value() == "a$HOME"


def test_a_dotenv_file_may_be_absent_and_is_checked_as_the_environment_is(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    load_settings({}, file)
    file.write_text("TOLLKEEPER_WORKER=4\n")
    with pytest.raises(SettingsError, match="did you mean TOLLKEEPER_WORKERS"):
        load_settings({}, file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings({}, file)


def test_printing_the_settings_shows_no_secret() -> None:
    secrets = {
        "DATABASE_URL": "postgresql://u:hunter2@h/d",
        "REDIS_URL": "redis://:hunter2@h",
        "SMTP_URL": "smtp://u:hunter2@h",
        **{name: "hunter2" for name in NAMES if name.endswith(("_KEY", "_SECRET", "_TOKEN"))},
    }
    settings = load_settings(secrets)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in settings.model_dump_json()


def test_settings_cannot_be_changed() -> None:
    settings = load_settings({})
    with pytest.raises(ValueError, match="frozen"):
        settings.server.proxy_port = 1  # type: ignore[misc]
