"""What tests of threads need."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture
def two_threads() -> Iterator[None]:
    """As many threads for BLAS, whatever the machine and its settings."""
    with threadpool_limits(2, "blas"):
        yield
