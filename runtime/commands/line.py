"""The command line: options to settings, one command, errors of one line."""

import argparse
import asyncio
import importlib
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from config.logs import configure_logs
from config.settings import SettingsError, load_settings
from runtime.child import ChildError
from runtime.commands.options import CONSOLE_PORT, DATA_DIR, PROXY_PORT, WORKERS, add_settings, overlay
from runtime.engines.lock import LockedError
from runtime.engines.tenant import EngineError
from runtime.errors import CommandError
from runtime.ports import PortError
from runtime.running import with_running
from runtime.serve import ServeError

ONE_LINE = (ChildError, CommandError, EngineError, LockedError, PortError, ServeError)
FAILED, BAD_USAGE, INTERRUPTED = 1, 2, 130


@dataclass(frozen=True, slots=True)
class Entry:
    """A command lives in the module of its name beside this one, loaded only when it runs: `command`, the
    coroutine function, and perhaps `options`, which adds arguments. `beside_up` takes what the environment
    leaves out from the `up` that runs on the data directory.
    """

    meaning: str
    settings: tuple[str, ...] = ()
    beside_up: bool = False


COMMANDS = {
    "up": Entry("run everything on this machine", (PROXY_PORT, CONSOLE_PORT, WORKERS)),
    "proxy": Entry("run one process of the proxy", (PROXY_PORT,)),
    "console": Entry("run the console", (CONSOLE_PORT,)),
    "drain": Entry("write usage records from Redis to Postgres"),
    "worker": Entry("run the scheduled jobs", beside_up=True),
    "migrate": Entry("bring the database schema up to date", beside_up=True),
    "doctor": Entry("say what is wrong and how to mend it", beside_up=True),
    "keys": Entry("manage API keys", beside_up=True),
    "demo": Entry("a guided tour against the running system", beside_up=True),
}


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs one command; gives its exit code."""
    chosen = arguments[0] if arguments and arguments[0] in COMMANDS else None
    module = importlib.import_module(f"runtime.commands.{chosen}") if chosen else None
    options = _parser(chosen, module).parse_args(arguments)
    assert module is not None
    environ = overlay(environ, options)
    try:
        settings = load_settings(environ, Path(".env"))
        if COMMANDS[options.command].beside_up:
            settings = with_running(settings)
    except SettingsError as error:
        return _say(error, BAD_USAGE)
    configure_logs(options.command, settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return int(runner.run(module.command(settings, options, environ)))
    except SettingsError as error:
        return _say(error, BAD_USAGE)
    except ONE_LINE as error:
        return _say(error, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        logging.getLogger(__name__).exception("%s failed", options.command)
        return FAILED


def _say(error: Exception, code: int) -> int:
    sys.stderr.write(f"tollkeeper: {error}\n")
    return code


def _parser(chosen: str | None, module: object) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tollkeeper", description="Metering reverse proxy for the OpenAI API, and its billing."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, entry in COMMANDS.items():
        command = commands.add_parser(name, help=entry.meaning, description=entry.meaning)
        add_settings(command, DATA_DIR, *entry.settings)
        if name == chosen and (add_options := getattr(module, "options", None)) is not None:
            add_options(command)
    return parser
