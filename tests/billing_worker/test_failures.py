import pytest

from billing_worker.failures import failure_of
from config.settings import load_settings

SETTINGS = load_settings(
    {
        "DATABASE_URL": "postgresql://toll:p%40ss-word@db/toll",
        "STRIPE_API_KEY": "a key of stripe",
        "SMTP_URL": "smtp://post:letters@mail.example.org",
    }
)


@pytest.mark.parametrize(
    "said",
    [
        "cannot reach postgresql://toll:p%40ss-word@db/toll",
        "password p@ss-word is wrong",
        "password p%40ss-word is wrong",
        "a key of stripe was refused",
        "smtp login post letters",
        "Authorization: Bearer abcdefghijkl",
        "sk-abcdefghijkl is no key",
        "https://someone:else-secret@example.org answered 500",
    ],
)
def test_no_secret_is_written_down(said: str) -> None:
    told = failure_of(RuntimeError(said), SETTINGS)
    assert told.error == "RuntimeError"
    for secret in ("p@ss-word", "p%40ss", "a key of stripe", "letters", "abcdefghijkl", "else-secret"):
        assert secret not in told.message


def test_only_the_first_line_is_kept_and_not_all_of_a_long_one() -> None:
    assert failure_of(ValueError("duplicate key\nDETAIL: (email)=(a@b)"), SETTINGS).message == "duplicate key"
    assert len(failure_of(ValueError("x" * 5000), SETTINGS).message) == 300
    assert failure_of(ValueError(), SETTINGS) == ("ValueError", "")
