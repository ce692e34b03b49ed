"""A hub with a model, and ways to spoil it."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from numpyclip.errors import DownloadError
from numpyclip.families.repository_files import wanted
from numpyclip.weights.hub import obtain
from tests.weights.hub_server import Handler, Hub, Trouble

WEIGHTS = os.urandom(200_000)
HALF = len(WEIGHTS) // 2
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
FILES = {"config.json": b'{"model_type": "clip"}', "model.safetensors": WEIGHTS}
NAME = "hf-hub:someone/model"
TOKEN = "hf_secret"


def get(name: str = NAME) -> Path:
    return obtain(name, wanted)


def left(tmp_path: Path) -> list[str]:
    """What was left in the cache: nothing that looks complete."""
    return [path.name for path in (tmp_path / "home").rglob("*") if path.is_file()]


def fails(tmp_path: Path, hub: Hub, trouble: Trouble, match: str, kind: type[Exception] = DownloadError) -> None:
    """Download in vain; then the trouble is over, and all is well."""
    hub.trouble = trouble
    with pytest.raises(kind, match=match):
        get()
    assert not [name for name in left(tmp_path) if name in (SHA256, "model.safetensors", "main")]
    hub.trouble = lambda handler: False
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS


def on(part: str, act: Callable[[Handler], bool], method: str = "GET") -> Trouble:
    return lambda handler: handler.command == method and part in handler.path and act(handler)


def hang_up(handler: Handler) -> bool:
    handler.close_connection = True
    return True


PLACES = ["/api/", "/resolve/", "elsewhere"]
