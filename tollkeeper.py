"""The command `tollkeeper`; see `tollkeeper --help`."""

import os
import sys
from collections.abc import Mapping, Sequence

from runtime.commands.line import run


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Runs one command; gives its exit code."""
    return run(
        sys.argv[1:] if arguments is None else arguments,
        os.environ if environ is None else environ,
    )


if __name__ == "__main__":
    sys.exit(main())
