"""One `up` for all tests that only use it."""

from collections.abc import Iterator

import pytest

from tests.runtime.running_up import Up, running


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    with running(folder / "data", folder / "log") as found:
        yield found
