from collections.abc import Iterator

import pytest

from tests.billing_worker.jobs.publisher import Publisher, publishing


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing() as made:
        yield made
