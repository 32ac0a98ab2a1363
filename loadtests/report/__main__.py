"""`python -m loadtests.report`: results/README.md and its pictures anew, from the JSON files beside it."""

from pathlib import Path

from loadtests.report.page import write
from loadtests.stand import results


def main(folder: Path = results.FOLDER) -> None:
    write(folder)


if __name__ == "__main__":
    main()
