"""Options of the command line that stand for a setting: they are laid over the environment."""

import argparse
from collections.abc import Mapping

DATA_DIR = "--data-dir"
PROXY_PORT = "--proxy-port"
CONSOLE_PORT = "--console-port"
WORKERS = "--workers"

_SETTINGS = {
    DATA_DIR: ("TOLLKEEPER_DATA_DIR", "DIR", "where embedded engines and secrets are kept (.tollkeeper)"),
    PROXY_PORT: ("TOLLKEEPER_PROXY_PORT", "N", "port of the proxy (8000)"),
    CONSOLE_PORT: ("TOLLKEEPER_CONSOLE_PORT", "N", "port of the console (8001)"),
    WORKERS: ("TOLLKEEPER_WORKERS", "N", "processes of the proxy (1)"),
}


def add_settings(parser: argparse.ArgumentParser, *options: str) -> None:
    for option in options:
        name, metavar, meaning = _SETTINGS[option]
        parser.add_argument(option, dest=name, metavar=metavar, help=meaning)


def overlay(environ: Mapping[str, str], options: argparse.Namespace) -> dict[str, str]:
    """`environ` with the settings given as options."""
    given = {name: getattr(options, name, None) for name, _, _ in _SETTINGS.values()}
    return {**environ, **{name: value for name, value in given.items() if value is not None}}
