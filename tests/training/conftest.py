"""The scripts of `training/` import one another by name, as scripts do."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(TRAINING))
    yield
    for name in {path.stem for path in TRAINING.glob("*.py")} & set(sys.modules):
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(TRAINING)):
            del sys.modules[name]
