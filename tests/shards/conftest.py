"""An object store of a test's own."""

import pytest

from tests.object_store import ObjectStore


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    return ObjectStore(monkeypatch)
