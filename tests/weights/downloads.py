"""A toy model to download, from a server on this machine that misbehaves by script."""

import hashlib
import io
import os
import random
import socket
import threading
from pathlib import Path

import pytest

from numpyclip.errors import DownloadError
from numpyclip.weights import download, sources
from numpyclip.weights.catalogue import KnownModel
from tests.weights.scripted_server import (
    Move,
    Script,
    serving,
)

BODY = random.Random(0).randbytes(200_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
HALF = len(BODY) // 2


def model_at(*servers: Script | str, sha256: str = SHA256) -> KnownModel:
    urls = tuple(s if isinstance(s, str) else f"{s.url}/toy.pt" for s in servers)
    return KnownModel("Toy/1", "toy.pt", sha256, urls)


def accept(copy: Path) -> None:
    """Take every copy for the model."""


def obtain(model: KnownModel, folder: Path) -> Path:
    """Get OpenAI's file of a model that has no copies."""
    path, is_copy = sources.obtain(model, folder, accept)
    assert not is_copy
    return path


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def get(folder: Path, *moves: Move, part: bytes | None = None) -> Script:
    """Download from one server, onto what is in the part file; all must be well in the end."""
    if part is not None:
        (folder / "toy.pt.part").write_bytes(part)
    with serving(BODY, *moves) as script:
        file = obtain(model_at(script), folder)
    assert file == folder / "toy.pt"
    assert file.read_bytes() == BODY
    assert left_in(folder) == {"toy.pt", "toy.pt.verified"}
    return script


def fail(folder: Path, *moves: Move, part: bytes | None = None) -> tuple[str, Script]:
    """Download from one server; it must fail without leaving anything that looks finished."""
    if part is not None:
        (folder / "toy.pt.part").write_bytes(part)
    with serving(BODY, *moves) as script, pytest.raises(DownloadError) as caught:
        obtain(model_at(script), folder)
    assert left_in(folder) <= {"toy.pt.part"}
    assert script.url in str(caught.value)
    return str(caught.value), script


class Terminal(io.StringIO):
    """A stderr to be looked at by a person."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def child_environment() -> dict[str, str]:
    """The environment of a Python process that imports this numpyclip."""
    return {**os.environ, "PYTHONPATH": str(Path(download.__file__).parents[2])}
