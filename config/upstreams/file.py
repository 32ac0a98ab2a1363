"""Reads UPSTREAMS_FILE. What it says wrongly is named with its line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.scanner import ScannerError

from config.upstreams.schema import Upstreams


class UpstreamsFileError(ValueError):
    """The file can't be used; the message is one line that begins with file:line."""


def read_upstreams(path: Path, environ: Mapping[str, str]) -> Upstreams:
    """`environ` holds the variables that `api_key_env` names. Raises UpstreamsFileError."""
    try:
        root = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
        content = yaml.SafeLoader("").construct_document(root) if root is not None else {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UpstreamsFileError(f"{path}: cannot be read ({reason})") from None
    except yaml.MarkedYAMLError as error:
        # Of a line that is broken, the mark of the problem stands behind it.
        marks = (error.context_mark, error.problem_mark)
        mark = next(filter(None, marks if isinstance(error, ScannerError) else reversed(marks)), None)
        raise UpstreamsFileError(f"{path}:{mark.line + 1 if mark else 1}: {error.problem}") from None
    except yaml.YAMLError:
        raise UpstreamsFileError(f"{path}: is not YAML") from None
    if root is not None:
        _refuse_doubled_keys(path, root)
    try:
        return Upstreams.model_validate(content, context=environ)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise UpstreamsFileError(_one_line(path, root, first["loc"], first["msg"], first["type"])) from None


def _refuse_doubled_keys(path: Path, root: yaml.Node) -> None:
    """YAML keeps the last of two equal keys without a word."""
    waiting, looked_at = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in looked_at:  # an anchor
            continue
        looked_at.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            seen: set[Any] = set()
            for key, value in node.value:
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise UpstreamsFileError(f"{path}:{line}: {key.value} is given twice")
                seen.add(key.value)
                waiting.append(value)


def _one_line(
    path: Path, root: yaml.Node | None, place: tuple[int | str, ...], message: str, kind: str
) -> str:
    words = message.removeprefix("Value error, ")
    words = {"extra_forbidden": "there is no such key", "model_type": "must be keys with values"}.get(
        kind, words
    )
    where = ".".join(str(step + 1 if isinstance(step, int) else step) for step in place if step != "[key]")
    line = _line(root, place)
    return f"{path}:{line}: {f'{where}: ' if where else ''}{words[:1].lower()}{words[1:]}"


def _line(root: yaml.Node | None, place: tuple[int | str, ...]) -> int:
    """Where the innermost part of `place` that is there begins; lines count from 1."""
    if root is None:
        return 1
    node, line = root, root.start_mark.line + 1
    for step in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line
