import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from config.logs import blacken, configure_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def test_each_line_is_one_json_object_whatever_logger_wrote_it() -> None:
    stream = io.StringIO()
    configure_logs("proxy", "info", stream)
    logging.getLogger("a.librarys").info("two\nlines %s", 1)
    structlog.get_logger("ours").warning("held", request_id="req_1", time="not the line's")
    logging.getLogger("ours").debug("too quiet")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first["message"] == "two\nlines 1"
    assert first["level"] == "info"
    assert first["program"] == "proxy"
    assert first["time"].endswith("Z")
    assert second["message"] == "held"
    assert second["request_id"] == "req_1"
    assert second["logger"] == "ours"
    assert second["time"].endswith("Z")


def test_an_exception_stays_on_its_line() -> None:
    stream = io.StringIO()
    configure_logs("proxy", "info", stream)
    try:
        int("sk-tk-abcdefghijkl")
    except ValueError:
        logging.getLogger("a").exception("failed")
        structlog.get_logger("b").exception("failed")
    for line in stream.getvalue().splitlines():
        assert "ValueError: invalid literal for int() with base 10: 'sk-…'" in json.loads(line)["trace"]


def test_a_terminal_gets_readable_text() -> None:
    stream = Terminal()
    configure_logs("up", "info", stream)
    structlog.get_logger("a").info("started", port=8000)
    assert stream.getvalue().endswith("up       started port=8000\n")


@pytest.mark.parametrize(
    "text",
    [
        "sk-tk-AbCd_1234-xyz",
        "key=sk-proj-AAAABBBB.",
        "sk_live_ABCDEFGH",
        "whsec_ABCDEFGH",
        "Authorization: Bearer AbCdEfGh.ijk",
        "{'authorization': 'bearer AbCdEfGh'}",
        "postgresql://me:AbCdEfGh@host/db",
        "redis://:AbCdEfGh@host",
    ],
)
def test_what_looks_like_a_secret_is_blackened(text: str) -> None:
    blackened = blacken(text)
    assert "…" in blackened
    for secret in ("AbCd", "AAAABBBB", "ABCDEFGH"):
        assert secret not in blackened


@pytest.mark.parametrize(
    "text", ["ask-me-anything", "http://127.0.0.1:8000/x@y", "the bear", "unix:///a?db=0"]
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert blacken(text) == text


def test_the_default_is_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("up", "info")
    logging.getLogger("a").info("here")
    captured = capsys.readouterr()
    assert not captured.out
    assert json.loads(captured.err)["message"] == "here"
